// The page of one channel: what it is, who may what, and each of its events with fields, examples and what travels.

import { h } from "./dom.js";
import { fieldTable } from "./fields.js";
import { link } from "./links.js";
import { markdown, inline } from "./markdown.js";
import { fillAddress } from "./model.js";
import { copyTabs, wireTabs } from "./wire.js";

/** What a reader chose last, kept from event to event: the side, the transport, the tool. */
const choice = { action: "deliver", wire: { deliver: "Example", publish: "Example" }, tool: {} };

export function channelPage(model, channel) {
  const name = fillAddress(channel);
  return [
    h("header", { class: "page-head" },
      h("p", { class: "kicker" }, "Channel"),
      h("h1", {}, channel.title),
      h("p", { class: "address" }, h("code", {}, address(channel.address))),
      h("p", { class: "badges" },
        channel.servers.map((server) => h("a", { class: "badge", href: link.transport(server) }, titleOf(model, server))),
        channel.tags.map((tag) => h("span", { class: "badge plain" }, tag))),
      canTry(model, channel) && h("p", {}, h("a", { class: "button", href: link.tryIt(channel.id) }, "Try it"))),
    h("div", { class: "prose" }, markdown(channel.description)),
    facts(channel),
    channel.parameters.length > 0 && h("section", {}, h("h2", {}, "Parameters"), parameters(channel)),
    h("section", { "aria-labelledby": "events" },
      h("h2", { id: "events" }, channel.events.length === 1 ? "Event" : "Events"),
      channel.events.length > 3 && h("ul", { class: "index" }, channel.events.map((event) =>
        h("li", {}, h("a", { href: link.event(channel.id, event.key) }, h("code", {}, event.name)), " ",
          h("span", { class: "faint" }, inline(event.summary ?? event.title))))),
      channel.events.length === 0 && h("p", { class: "faint" }, "The catalog names no event of it."),
      channel.events.map((event) => eventSection(model, channel, event, name))),
  ];
}

/** The address with its parameters told apart. */
function address(text) {
  return text.split(/(\{\w+\})/).map((part) => (part.startsWith("{") ? h("var", {}, part) : part));
}

function canTry(model, channel) {
  return (model.about.tryIt ?? "off") !== "off" && channel.servers.some((server) => server === "websocket" || server === "sse");
}

export function titleOf(model, server) {
  return model.templates.find((one) => one.server === server)?.title ?? server;
}

const AUDIENCES = {
  anyone: "everybody, also without a user",
  authenticated: "everybody with a user",
  token: "those whose token grants it",
  handler: "those whom a backend lets in",
  nobody: "no client",
};

function facts(channel) {
  const { subscribe, publish, namespace } = channel.about;
  const rows = [
    subscribe && ["May subscribe", AUDIENCES[subscribe] ?? subscribe],
    publish && ["May publish", AUDIENCES[publish] ?? publish],
    namespace && ["Namespace", h("code", {}, namespace)],
  ].filter(Boolean);
  return rows.length > 0 && h("dl", { class: "facts" }, rows.map(([term, text]) => h("div", {}, h("dt", {}, term), h("dd", {}, text))));
}

function parameters(channel) {
  return h("table", { class: "fields", "aria-label": "Parameters of the address" },
    h("tbody", {}, channel.parameters.map((parameter) => h("tr", {},
      h("th", { scope: "row" }, h("span", { class: "path" }, h("span", { class: "name" }, parameter.name))),
      h("td", {},
        parameter.description && h("span", { class: "about" }, inline(parameter.description)),
        h("span", { class: "rules" },
          (parameter.enum ?? []).map((value) => h("code", {}, value)),
          parameter["x-fanline-pattern"] && h("code", {}, `/${parameter["x-fanline-pattern"]}/`),
          parameter.examples?.length > 0 && h("span", { class: "faint" }, `for example ${parameter.examples.join(", ")}`)))))));
}

function eventSection(model, channel, event, name) {
  const body = h("div", { class: "event-body" });
  const sides = [["deliver", "What subscribers get"], ["publish", "What publishers give"]].filter(([side]) => event[side]);
  const draw = (side) => {
    choice.action = side;
    const message = event[side];
    const schema = message.payload?.properties?.data ?? message.payload ?? {};
    body.replaceChildren(
      h("div", { class: "event-fields" },
        h("h4", {}, "Data"),
        fieldTable(model, schema, {
          label: `Fields of ${event.name}`,
          linkOf: (path) => link.field(channel.id, event.key, path),
        }),
        h("details", {}, h("summary", {}, side === "deliver" ? "The envelope around it" : "Beside the data"),
          fieldTable(model, withoutData(message.payload), { label: `Envelope of ${event.name}` }))),
      h("div", { class: "event-code" },
        h("h4", {}, "On the wire"),
        wireTabs(model, {
          action: side, message, channel: name, servers: channel.servers,
          chosen: choice.wire[side], onchange: (tab) => { choice.wire[side] = tab; },
        }),
        h("h4", {}, "Copy as"),
        copyTabs(model, {
          action: side, message, channel: name, servers: channel.servers,
          chosen: choice.tool[side], onchange: (tab) => { choice.tool[side] = tab; },
        })));
    buttons.forEach((button) => button.setAttribute("aria-pressed", String(button.dataset.side === side)));
  };
  const buttons = sides.map(([side, label]) =>
    h("button", { type: "button", "data-side": side, onclick: () => draw(side) }, label));
  const section = h("article", { class: "event", "data-event": event.key },
    h("header", {},
      h("h3", {}, h("a", { href: link.event(channel.id, event.key) }, event.name)),
      h("p", { class: "badges" },
        h("span", { class: "badge plain" }, publisher(event.about.publisher)),
        event.about.owner && h("span", { class: "badge plain" }, event.about.owner),
        event.about.since && h("span", { class: "badge plain" }, `since ${event.about.since}`),
        event.about.protobuf && h("span", { class: "badge plain" }, event.about.protobuf),
        event.tags.map((tag) => h("span", { class: "badge plain" }, tag)))),
    event.about.deprecated && h("p", { class: "warning" }, h("strong", {}, "Goes away. "), inline(event.about.deprecated)),
    event.summary && h("p", { class: "summary" }, inline(event.summary)),
    h("div", { class: "prose" }, markdown(event.description)),
    sides.length > 1 && h("div", { class: "segments", role: "group", "aria-label": "Side" }, buttons),
    body);
  draw(sides.some(([side]) => side === choice.action) ? choice.action : sides[0][0]);
  return section;
}

function withoutData(payload) {
  const { data, ...properties } = payload?.properties ?? {};
  return { ...payload, properties };
}

function publisher(word) {
  return { client: "published by clients", backend: "published by backends" }[word] ?? "published by clients and backends";
}
