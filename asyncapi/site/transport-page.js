// The page of one transport: each endpoint of it, its operations, and every frame that travels.

import { codeBlock, pretty } from "./code.js";
import { h } from "./dom.js";
import { fieldTable } from "./fields.js";
import { link } from "./links.js";
import { inline, markdown } from "./markdown.js";

export function transportPage(model, server) {
  const endpoints = model.endpointsOf(server.id);
  return [
    h("header", { class: "page-head" },
      h("p", { class: "kicker" }, "Transport"),
      h("h1", {}, server.title ?? server.id),
      h("p", { class: "address" }, h("code", {}, `${server.protocol}://${server.host}`))),
    h("div", { class: "prose" }, markdown(server.description)),
    h("section", {}, h("h2", {}, "Authentication"), h("p", {}, "Any one of these is enough."),
      h("ul", {}, (server.security ?? []).map((scheme) => {
        const found = model.follow(scheme) ?? {};
        return h("li", {}, h("strong", {}, scheme.$ref?.split("/").pop() ?? found.type), ": ", inline(found.description ?? ""));
      }))),
    endpoints.map((endpoint) => endpointSection(model, server, endpoint, endpoints.length > 1)),
  ];
}

function endpointSection(model, server, endpoint, named) {
  const query = endpoint.operations.map((operation) => operation.bindings?.http?.query).find(Boolean);
  const method = endpoint.operations.map((operation) => operation.bindings?.http?.method).find(Boolean) ?? endpoint.bindings?.ws?.method;
  return h("section", { class: "endpoint", "data-endpoint": endpoint.id },
    h("h2", {}, h("a", { href: link.endpoint(server.id, endpoint.id) }, named ? endpoint.title : "Endpoint")),
    h("p", { class: "address" }, method && h("span", { class: "badge" }, method), " ", h("code", {}, endpoint.address)),
    h("p", {}, inline(endpoint.summary ?? "")),
    h("div", { class: "prose" }, markdown(endpoint.description)),
    query && [h("h3", {}, "Query"), fieldTable(model, query, { label: `Query of ${endpoint.address}` })],
    endpoint.operations.map((operation) => operationSection(model, operation)));
}

function operationSection(model, operation) {
  const grpc = operation.bindings?.["x-grpc"];
  return h("article", { class: "operation", "data-operation": operation.id },
    h("h3", {}, operation.title ?? operation.id),
    h("p", {}, inline(operation.description ?? operation.summary ?? ""), grpc && (grpc.clientStreaming || grpc.serverStreaming) && h("span", { class: "badge plain" },
      grpc.clientStreaming ? (grpc.serverStreaming ? "both sides stream" : "the client streams") : "the hub streams")),
    messageGroup(model, operation.action === "send" ? "The hub sends" : "The client sends", operation.messages),
    operation.replies.length > 0 && messageGroup(model, "The hub answers", operation.replies));
}

function messageGroup(model, label, messages) {
  return h("div", { class: "frames" }, h("h4", {}, label), messages.map((message) => frame(model, message)));
}

function frame(model, message) {
  const status = message.bindings?.http?.statusCode;
  const block = message.bindings?.["x-sse"];
  const body = h("div", { class: "event-body" });
  const details = h("details", { ontoggle: () => {
    if (!details.open || body.childElementCount > 0) return;
    const example = message.examples?.[0]?.payload;
    body.append(
      h("div", { class: "event-fields" },
        block && h("p", { class: "note" }, `event: ${block.event}`, block.id && ` · id: ${block.id}`),
        fieldTable(model, message.payload ?? {}, { label: `Fields of ${message.title}` })),
      h("div", { class: "event-code" }, example !== undefined && codeBlock(pretty(example), "json", `Example of ${message.title}`)));
  } },
  h("summary", {}, h("code", {}, message.title ?? message.name), status && h("span", { class: "badge plain" }, String(status)), " ",
    h("span", { class: "faint" }, inline(message.summary ?? ""))),
  body);
  return details;
}
