// The Markdown that descriptions are written in: paragraphs, lists, headings, code, emphasis and links. The rest stays
// as it was written.

import { h } from "./dom.js";

/** Markdown as elements. */
export function markdown(text) {
  if (!text) return [];
  const blocks = [];
  const lines = text.split(/\r?\n/);
  for (let at = 0; at < lines.length;) {
    const line = lines[at];
    if (line.trim() === "") {
      at += 1;
    } else if (line.startsWith("```")) {
      const end = lines.findIndex((other, index) => index > at && other.startsWith("```"));
      const stop = end < 0 ? lines.length : end;
      blocks.push(h("pre", { tabindex: 0 }, h("code", {}, lines.slice(at + 1, stop).join("\n"))));
      at = stop + 1;
    } else if (/^#{1,6} /.test(line)) {
      // The page has its own first levels.
      const level = Math.min(6, line.indexOf(" ") + 2);
      blocks.push(h(`h${level}`, {}, inline(line.replace(/^#+ /, ""))));
      at += 1;
    } else if (/^\s*([-*]|\d+\.) /.test(line)) {
      const items = [];
      const ordered = /^\s*\d/.test(line);
      for (; at < lines.length && /^\s*([-*]|\d+\.) |^\s{2,}\S/.test(lines[at]); at += 1) {
        const item = /^\s*(?:[-*]|\d+\.) (.*)$/.exec(lines[at]);
        if (item) items.push(item[1]);
        else items[items.length - 1] += ` ${lines[at].trim()}`;
      }
      blocks.push(h(ordered ? "ol" : "ul", {}, items.map((item) => h("li", {}, inline(item)))));
    } else {
      const start = at;
      while (at < lines.length && lines[at].trim() !== "" && !/^(```|#{1,6} |\s*[-*] )/.test(lines[at])) at += 1;
      if (at === start) at += 1;
      blocks.push(h("p", {}, inline(lines.slice(start, at).join(" "))));
    }
  }
  return blocks;
}

const SPAN = /`([^`]+)`|\*\*([^*]+)\*\*|\*([^*\s][^*]*)\*|\[([^\]]+)\]\(([^)\s]+)\)/g;

/** One line of Markdown as nodes. */
export function inline(text) {
  const nodes = [];
  let end = 0;
  for (const match of (text ?? "").matchAll(SPAN)) {
    nodes.push(text.slice(end, match.index));
    const [whole, code, strong, emphasis, label, target] = match;
    if (code !== undefined) nodes.push(h("code", {}, code));
    else if (strong !== undefined) nodes.push(h("strong", {}, strong));
    else if (emphasis !== undefined) nodes.push(h("em", {}, emphasis));
    // No scheme but these: a description is not to run anything.
    else if (/^(https?:\/\/|#|mailto:)/.test(target)) nodes.push(h("a", { href: target, rel: "noreferrer" }, label));
    else nodes.push(whole);
    end = match.index + whole.length;
  }
  nodes.push((text ?? "").slice(end));
  return nodes;
}
