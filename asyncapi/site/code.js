// Code blocks: JSON with its parts told apart, and lines to paste.

import { copyButton, h } from "./dom.js";

const JSON_TOKEN = /("(?:\\.|[^"\\])*")(\s*:)?|\b(true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/** A block of code with a button that copies it. `text` is JSON when `language` says so. */
export function codeBlock(text, language = "json", label = "Code") {
  const code = h("code", {}, language === "json" ? paint(text) : text);
  return h("div", { class: "code" }, copyButton(text), h("pre", { tabindex: 0, role: "group", "aria-label": label }, code));
}

/** JSON as text nodes and spans. */
function paint(text) {
  const nodes = [];
  let end = 0;
  for (const match of text.matchAll(JSON_TOKEN)) {
    nodes.push(text.slice(end, match.index));
    const [whole, string, colon, word] = match;
    if (string !== undefined) {
      nodes.push(h("span", { class: colon === undefined ? "string" : "key" }, string), colon ?? "");
    } else {
      nodes.push(h("span", { class: word === undefined ? "number" : "word" }, whole));
    }
    end = match.index + whole.length;
  }
  nodes.push(text.slice(end));
  return nodes;
}

export const pretty = (value) => JSON.stringify(value, null, 2);
