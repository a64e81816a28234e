// What an event looks like on each transport, and lines to paste: the document's templates, filled in.

import { codeBlock, pretty } from "./code.js";
import { h, tabs } from "./dom.js";
import { inline } from "./markdown.js";

/** The example of an event that its panels show; made up from the schema where the document has none. */
export function exampleOf(model, message, channel) {
  const written = message.examples?.[0]?.payload;
  return written ?? { type: message.name, data: {}, channel };
}

/** The values that templates are filled in with. */
export function valuesOf(model, event, channel) {
  const data = event.data ?? null;
  const position = event.position ?? "0-1";
  const [epoch, offset] = splitPosition(position);
  return {
    ...model.addresses(),
    event: JSON.stringify({ ...event, channel }),
    data: JSON.stringify(data),
    data_base64: base64(JSON.stringify(data)),
    type: event.type,
    id: event.id ?? "",
    time: event.time ?? "",
    channel,
    channel_query: encodeURIComponent(channel).replace(/%3A/g, ":").replace(/%2C/g, ","),
    position,
    epoch,
    offset,
  };
}

/** A template of the document with its placeholders filled in. */
export function fill(model, template, values) {
  return template.replace(/\{(shell:)?([a-zA-Z_.]+)\}/g, (whole, shell, name) => {
    if (shell) {
      const [server, which] = name.split(".");
      const other = model.templates.find((one) => one.server === server)?.[which];
      return other === undefined ? whole : `'${fill(model, other, values).replaceAll("'", "'\\''")}'`;
    }
    if (name === "body") return pretty(JSON.parse(fill(model, model.templates.find((one) => one.server === "uplink").body, values)));
    return values[name] ?? whole;
  });
}

/** Tabs with the event itself, and with what travels on each transport of the channel. */
export function wireTabs(model, { action, message, channel, servers, chosen, onchange }) {
  const event = exampleOf(model, message, channel);
  const values = valuesOf(model, event, channel);
  const offered = model.templates.filter((one) => one[action] !== undefined && servers.includes(one.server));
  const list = [
    { name: "Example", content: () => examples(message) },
    ...offered.map((one) => ({
      name: one.title,
      content: () => [
        codeBlock(readable(fill(model, one[action], values)), "json", `${one.title}: what travels`),
        one.note && h("p", { class: "note" }, inline(one.note)),
      ].filter(Boolean),
    })),
  ];
  const at = Math.max(0, list.findIndex((one) => one.name === chosen));
  return tabs("On the wire", list, { chosen: at, onchange });
}

function examples(message) {
  const all = message.examples ?? [];
  if (all.length === 0) return [h("p", { class: "faint" }, "The catalog has no example of it.")];
  return all.map((example) => h("figure", {},
    all.length > 1 && h("figcaption", {}, example.summary ?? example.name),
    codeBlock(pretty(example.payload), "json", `Example ${example.name ?? ""}`)));
}

/** A line of JSON is shown with indentation; anything else as it travels. */
function readable(text) {
  try {
    return pretty(JSON.parse(text));
  } catch {
    return text.trimEnd();
  }
}

/** Lines to paste for an action, a tab for each tool. */
export function copyTabs(model, { action, message, channel, servers, chosen, onchange }) {
  const values = valuesOf(model, exampleOf(model, message, channel), channel);
  const verb = action === "deliver" ? "subscribe" : "publish";
  const offered = model.snippets.filter((one) => one.action === verb && servers.includes(one.server));
  if (offered.length === 0) return null;
  const list = offered.map((one) => ({
    name: one.tool,
    content: () => [codeBlock(fill(model, one.text, values).trimEnd(), one.language, `${one.tool}: lines to paste`)],
  }));
  return tabs("Copy as", list, { chosen: Math.max(0, list.findIndex((one) => one.name === chosen)), onchange });
}

export function splitPosition(position) {
  const at = String(position).lastIndexOf("-");
  return [position.slice(0, at), position.slice(at + 1)];
}

function base64(text) {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}
