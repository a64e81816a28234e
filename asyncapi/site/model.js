// The document as the pages need it: its two layers told apart, references followed, one object for each channel, event
// and endpoint. All that is shown comes from here, and all that is here from the AsyncAPI document.

/** Keys of endpoint channels, messages and schemas that the hub itself brings. */
const OWN = "fanline.";
const PUBLISH = ".publish";

export class Model {
  constructor(document) {
    this.document = document;
    this.about = document["x-fanline"] ?? {};
    this.info = document.info ?? {};
    this.servers = Object.entries(document.servers ?? {}).map(([id, server]) => ({ id, ...server }));
    const channels = Object.entries(document.channels ?? {});
    this.channels = channels.filter(([id]) => !id.startsWith(OWN)).map(([id, channel]) => this.#channel(id, channel));
    this.endpoints = channels.filter(([id]) => id.startsWith(OWN)).map(([id, channel]) => this.#endpoint(id, channel));
    this.templates = this.about.wire ?? [];
    this.snippets = this.about.snippets ?? [];
  }

  /** What a reference points to; anything else is itself. */
  follow(value) {
    for (let steps = 0; value && typeof value === "object" && typeof value.$ref === "string" && steps < 32; steps += 1) {
      value = this.#at(value.$ref);
    }
    return value;
  }

  channel(id) {
    return this.channels.find((channel) => channel.id === id);
  }

  endpointsOf(server) {
    return this.endpoints.filter((endpoint) => endpoint.servers.includes(server));
  }

  /** Where clients connect, from the servers of the document. */
  addresses() {
    const server = (id) => this.servers.find((one) => one.id === id);
    const at = (found, other) => (found ? `${found.protocol}://${found.host}` : other);
    const grpc = server("grpc");
    return {
      ws: at(server("websocket"), "ws://localhost:8080"),
      public: at(server("sse") ?? server("uplink"), "http://localhost:8080"),
      grpc: grpc?.host ?? "localhost:50051",
      plaintext: grpc?.protocol === "grpcs" ? "" : "-plaintext ",
    };
  }

  /** Every event, once for each channel that it is published in. */
  *events() {
    for (const channel of this.channels) {
      for (const event of channel.events) yield { channel, event };
    }
  }

  #channel(id, channel) {
    const messages = Object.entries(channel.messages ?? {}).map(([key, message]) => [key, this.follow(message)]);
    const byKey = new Map(messages);
    const events = messages.filter(([key]) => !key.endsWith(PUBLISH)).map(([key, message]) => ({
      key,
      name: message.name ?? key,
      title: message.title ?? key,
      summary: message.summary,
      description: message.description,
      tags: (message.tags ?? []).map((tag) => tag.name),
      about: message["x-fanline"] ?? {},
      deliver: message,
      publish: byKey.get(key + PUBLISH),
    }));
    return {
      id,
      address: channel.address ?? id,
      title: channel.title ?? id,
      description: channel.description,
      servers: this.#serversOf(channel),
      parameters: Object.entries(channel.parameters ?? {}).map(([name, parameter]) => ({ name, ...this.follow(parameter) })),
      tags: (channel.tags ?? []).map((tag) => tag.name),
      about: channel["x-fanline"] ?? {},
      events,
    };
  }

  #endpoint(id, channel) {
    const operations = Object.entries(this.document.operations ?? {})
      .filter(([, operation]) => operation.channel?.$ref === `#/channels/${id}`)
      .map(([key, operation]) => ({
        id: key,
        ...operation,
        messages: (operation.messages ?? []).map((message) => this.follow(message)),
        replies: (operation.reply?.messages ?? []).map((message) => this.follow(message)),
      }));
    return {
      id,
      address: channel.address,
      title: channel.title ?? id,
      summary: channel.summary,
      description: channel.description,
      bindings: channel.bindings,
      servers: this.#serversOf(channel),
      operations,
    };
  }

  #serversOf(channel) {
    return (channel.servers ?? []).map((server) => server.$ref?.split("/").pop()).filter(Boolean);
  }

  #at(pointer) {
    let value = this.document;
    for (const part of pointer.replace(/^#\//, "").split("/")) {
      value = value?.[decodeURIComponent(part).replace(/~1/g, "/").replace(/~0/g, "~")];
    }
    return value;
  }
}

/** A channel name of an address, with `values` for its parameters. */
export function fillAddress(channel, values = {}) {
  return channel.address.replace(/\{(\w+)\}/g, (_, name) => {
    const parameter = channel.parameters.find((one) => one.name === name) ?? {};
    return values[name] || parameter.examples?.[0] || parameter.enum?.[0] || name;
  });
}
