// The pages that are not about one channel or transport: overview, access, errors and close codes.

import { h } from "./dom.js";
import { link } from "./links.js";
import { inline, markdown } from "./markdown.js";

export function overviewPage(model) {
  const { info, about } = model;
  const count = new Set([...model.events()].map(({ event }) => event.name)).size;
  return [
    h("header", { class: "page-head" },
      h("p", { class: "kicker" }, `Version ${info.version}`),
      h("h1", {}, info.title)),
    h("div", { class: "prose" }, markdown(info.description)),
    model.channels.length > 0 && h("section", {}, h("h2", {}, "Channels"),
      h("ul", { class: "cards" }, model.channels.map((channel) => h("li", {}, h("a", { href: link.channel(channel.id) },
        h("strong", {}, channel.title), h("code", {}, channel.address),
        h("span", { class: "faint" }, `${channel.events.length} ${channel.events.length === 1 ? "event" : "events"}`)))))),
    h("section", {}, h("h2", {}, "Transports"),
      h("p", {}, "An event is the same JSON on every one of them, and a position of one resumes on another."),
      h("ul", { class: "cards" }, model.servers.map((server) => h("li", {}, h("a", { href: link.transport(server.id) },
        h("strong", {}, server.title ?? server.id), h("code", {}, `${server.protocol}://${server.host}`)))))),
    h("section", {}, h("h2", {}, "This document"),
      h("dl", { class: "facts" },
        [["AsyncAPI", model.document.asyncapi], ["Event types", String(count)], ["Hub", about.hub],
          ["Revision", h("code", { class: "revision" }, about.revision ?? "")]]
          .filter(([, text]) => text !== undefined && text !== "0")
          .map(([term, text]) => h("div", {}, h("dt", {}, term), h("dd", {}, text)))),
      h("p", {}, h("a", { href: "../asyncapi.json", "data-document": "json" }, "asyncapi.json"), " · ",
        h("a", { href: "../asyncapi.yaml", "data-document": "yaml" }, "asyncapi.yaml"))),
  ];
}

export function accessPage(model) {
  const schemes = Object.entries(model.document.components?.securitySchemes ?? {});
  return [
    h("header", { class: "page-head" }, h("p", { class: "kicker" }, "Reference"), h("h1", {}, "Access")),
    h("p", {}, "Nothing is handled before a credential is verified. One is enough; two different ones are refused."),
    h("table", { class: "plain" }, h("thead", {}, h("tr", {}, ["Way", "Where it stands", "How"].map((text) => h("th", { scope: "col" }, text)))),
      h("tbody", {}, schemes.map(([name, scheme]) => h("tr", {},
        h("th", { scope: "row" }, name),
        h("td", {}, h("code", {}, whereOf(scheme))),
        h("td", {}, inline(scheme.description ?? "")))))),
    h("h2", {}, "Which way where"),
    h("ul", {}, model.servers.map((server) => h("li", {}, h("a", { href: link.transport(server.id) }, server.title ?? server.id), ": ",
      (server.security ?? []).map((scheme) => scheme.$ref?.split("/").pop()).join(", ")))),
  ];
}

function whereOf(scheme) {
  if (scheme.type === "http") return `authorization: ${scheme.scheme}`;
  if (scheme.type === "httpApiKey") return scheme.in === "query" ? `?${scheme.name}=` : scheme.in === "cookie" ? `cookie: ${scheme.name}` : scheme.name.toLowerCase();
  return scheme.type;
}

const RECONNECT = {
  never: "do not reconnect",
  with_new_token: "reconnect with a new token",
  with_back_off: "reconnect with back-off",
};

export function errorsPage(model) {
  const { reasons = [], closeCodes = [] } = model.about;
  return [
    h("header", { class: "page-head" }, h("p", { class: "kicker" }, "Reference"), h("h1", {}, "Errors and close codes")),
    h("p", {}, "A refusal has one reason, whatever the transport: as ", h("code", {}, "reason"), " of an ", h("code", {}, "error"),
      " frame, of a problem document, or of ", h("code", {}, "google.rpc.ErrorInfo"), "."),
    h("h2", {}, "Reasons"),
    h("table", { class: "plain" },
      h("thead", {}, h("tr", {}, ["Reason", "HTTP", "gRPC", "Same request later?"].map((text) => h("th", { scope: "col" }, text)))),
      h("tbody", {}, reasons.map((one) => h("tr", { "data-name": one.reason },
        h("th", { scope: "row" }, h("a", { href: link.errors(one.reason) }, h("code", {}, one.reason)), h("span", { class: "about" }, inline(one.about))),
        h("td", {}, String(one.http)), h("td", {}, one.grpc), h("td", {}, one.retryable ? "may succeed" : "no"))))),
    h("h2", {}, "Close codes of a WebSocket"),
    h("table", { class: "plain" },
      h("thead", {}, h("tr", {}, ["Code", "When", "Then"].map((text) => h("th", { scope: "col" }, text)))),
      h("tbody", {}, closeCodes.map((one) => h("tr", { "data-name": String(one.code) },
        h("th", { scope: "row" }, h("a", { href: link.errors(one.code) }, h("code", {}, String(one.code)))),
        h("td", {}, one.about.map((text) => h("span", { class: "about" }, inline(text)))),
        h("td", {}, RECONNECT[one.reconnect] ?? one.reconnect))))),
  ];
}
