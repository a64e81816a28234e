// Search over channels, events, fields, frames and reasons: a combobox after the pattern of WAI-ARIA.

import { announce, h } from "./dom.js";
import { rowsOf } from "./fields.js";
import { link } from "./links.js";

const RESULTS_MAX = 12;

/** Connects the search field of the page. `/` puts the focus into it from anywhere. */
export function connectSearch(model) {
  const input = document.getElementById("search");
  const list = document.getElementById("results");
  let entries = null;
  let chosen = -1;

  input.addEventListener("input", show);
  input.addEventListener("focus", show);
  input.addEventListener("blur", hide);
  input.addEventListener("keydown", (event) => {
    const options = [...list.children];
    if (event.key === "Escape") {
      if (list.hidden) input.blur();
      hide();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (options.length > 0) choose((chosen + (event.key === "ArrowDown" ? 1 : -1) + options.length) % options.length);
    } else if (event.key === "Enter" && options.length > 0) {
      event.preventDefault();
      go(options[Math.max(0, chosen)]);
    }
  });
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      input.focus();
      input.select();
    }
  });

  function show() {
    // Made at the first use: a reader who only reads does not wait for it.
    entries ??= indexOf(model);
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    chosen = -1;
    input.removeAttribute("aria-activedescendant");
    if (words.length === 0) return hide();
    const found = entries
      .map((entry) => ({ entry, score: scoreOf(entry, words) }))
      .filter(({ score }) => score > 0)
      .sort((left, right) => right.score - left.score)
      .slice(0, RESULTS_MAX);
    list.replaceChildren(...found.map(({ entry }, index) => h("li", {
      role: "option", id: `result-${index}`, "aria-selected": "false", "data-href": entry.href,
      // Before the field loses its focus, which would hide the list.
      onmousedown: (event) => { event.preventDefault(); go(event.currentTarget); },
    }, h("span", { class: "kind" }, entry.kind), h("span", { class: "name" }, entry.name), entry.about && h("span", { class: "faint" }, entry.about))));
    list.hidden = found.length === 0;
    input.setAttribute("aria-expanded", String(found.length > 0));
    announce(found.length === 0 ? "Nothing found" : `${found.length} found`);
  }

  function choose(index) {
    chosen = index;
    [...list.children].forEach((option, at) => option.setAttribute("aria-selected", String(at === index)));
    list.children[index].scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", list.children[index].id);
  }

  function go(option) {
    location.hash = option.dataset.href;
    hide();
    input.value = "";
    input.blur();
  }

  function hide() {
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
  }
}

function indexOf(model) {
  const entries = [];
  const add = (kind, name, about, href, weight) => {
    entries.push({ kind, name, about: about ?? "", href, weight, text: `${name} ${about ?? ""}`.toLowerCase(), low: name.toLowerCase() });
  };
  for (const channel of model.channels) {
    add("channel", channel.address, channel.title, link.channel(channel.id), 4);
    for (const event of channel.events) {
      add("event", event.name, event.summary ?? event.title, link.event(channel.id, event.key), 3);
      for (const row of rowsOf(model, event.deliver.payload?.properties?.data ?? {})) {
        add("field", row.path, event.name, link.field(channel.id, event.key, row.path), 1);
      }
    }
  }
  for (const endpoint of model.endpoints) {
    for (const operation of endpoint.operations) {
      for (const message of [...operation.messages, ...operation.replies]) {
        add("frame", message.title ?? message.name, endpoint.title, link.endpoint(endpoint.servers[0], endpoint.id), 2);
      }
    }
  }
  for (const reason of model.about.reasons ?? []) add("reason", reason.reason, reason.about, link.errors(reason.reason), 2);
  for (const close of model.about.closeCodes ?? []) add("close code", String(close.code), close.about[0], link.errors(close.code), 2);
  return entries;
}

function scoreOf(entry, words) {
  let score = 0;
  for (const word of words) {
    const at = entry.text.indexOf(word);
    if (at < 0) return 0;
    score += entry.low === word ? 8 : entry.low.startsWith(word) ? 5 : entry.low.includes(word) ? 3 : 1;
  }
  return score + entry.weight;
}
