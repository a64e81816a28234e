// Try it: watch live events, each checked against its schema, and publish examples. The token stays in this page's
// memory.

import { violations } from "./check.js";
import { codeBlock, pretty } from "./code.js";
import { announce, h } from "./dom.js";
import { Live } from "./live.js";
import { fillAddress } from "./model.js";

const SHOWN_MAX = 200;
/** Survives a look at other pages. */
const kept = { token: "", live: null };

export function tryPage(model, chosenId) {
  const mode = model.about.tryIt ?? "off";
  if (mode === "off") return [h("h1", {}, "Try it"), h("p", {}, "The configuration of this hub leaves it off.")];
  kept.live?.close();
  kept.live = null;

  const channels = model.channels.filter((channel) => channel.servers.includes("websocket"));
  let channel = channels.find((one) => one.id === chosenId) ?? channels[0];
  const values = {};

  const status = h("p", { class: "status", id: "try-status", role: "status", "data-state": "closed" }, "not connected");
  const list = h("ol", { class: "live", id: "live", role: "log", "aria-label": "Live events", tabindex: 0 });
  const token = h("input", { id: "try-token", type: "password", autocomplete: "off", spellcheck: "false", required: true, value: kept.token,
    oninput: () => { kept.token = token.value; } });
  const parameters = h("div", { class: "row" });
  const name = h("input", { id: "try-channel", autocomplete: "off", spellcheck: "false", required: true });
  const since = h("select", { id: "try-since" },
    h("option", { value: "" }, "new events only"), h("option", { value: "last:20" }, "the newest 20, then on"), h("option", { value: "earliest" }, "all that is kept, then on"));
  const connect = h("button", { type: "submit", class: "main" }, "Connect");
  const type = h("select", { id: "try-type", onchange: prefill });
  const data = h("textarea", { id: "try-data", rows: 10, spellcheck: "false", "aria-describedby": "try-problems", oninput: judge, onkeydown: (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); publish(event); }
  } });
  const problems = h("ul", { id: "try-problems", class: "problems", "aria-live": "polite" });
  const publishButton = h("button", { type: "submit", class: "main", disabled: true }, "Publish");

  const select = h("select", { id: "try-address", onchange: () => { channel = channels.find((one) => one.id === select.value); choose(); } },
    channels.map((one) => h("option", { value: one.id }, one.address)));
  if (channel) select.value = channel.id;
  choose();
  fetchToken();

  return [
    h("header", { class: "page-head" }, h("p", { class: "kicker" }, "Live"), h("h1", {}, "Try it")),
    h("div", { class: "try" },
      h("div", {},
        h("form", { class: "sheet", onsubmit: toggle },
          h("h2", {}, "Watch"),
          h("label", { for: "try-token" }, "Token"), token,
          channels.length > 0 && [h("label", { for: "try-address" }, "Address"), select],
          parameters,
          h("label", { for: "try-channel" }, "Channel"), name,
          h("label", { for: "try-since" }, "Start with"), since,
          h("div", { class: "row" }, connect, status)),
        mode === "full" && h("form", { class: "sheet", onsubmit: publish },
          h("h2", {}, "Publish"),
          h("label", { for: "try-type" }, "Event type"), type,
          h("label", { for: "try-data" }, "Data"), data, problems,
          h("div", { class: "row" }, publishButton, h("span", { class: "faint" }, "Ctrl+Enter in the data publishes too")))),
      h("div", { class: "sheet" },
        h("div", { class: "row" }, h("h2", {}, "What arrives"),
          h("button", { type: "button", onclick: () => list.replaceChildren() }, "Clear")),
        list)),
  ];

  /** Shows the parameters and event types of the chosen address. */
  function choose() {
    if (!channel) return;
    parameters.replaceChildren(...channel.parameters.map((parameter) => {
      const id = `try-parameter-${parameter.name}`;
      const input = parameter.enum
        ? h("select", { id }, parameter.enum.map((value) => h("option", { value }, value)))
        : h("input", { id, autocomplete: "off", spellcheck: "false", placeholder: parameter.examples?.[0] ?? parameter.name });
      input.addEventListener("input", () => { values[parameter.name] = input.value; name.value = fillAddress(channel, values); });
      return h("div", { class: "grow" }, h("label", { for: id }, parameter.name), input);
    }));
    name.value = fillAddress(channel, values);
    type.replaceChildren(...channel.events.filter((event) => event.publish && event.about.publisher !== "backend")
      .concat(channel.events.filter((event) => event.about.publisher === "backend"))
      .map((event) => h("option", { value: event.name }, event.name)));
    prefill();
  }

  function eventNamed(eventName) {
    return channel?.events.find((event) => event.name === eventName)
      ?? [...model.events()].find(({ event }) => event.name === eventName)?.event;
  }

  function prefill() {
    const example = eventNamed(type.value)?.publish?.examples?.[0]?.payload;
    data.value = pretty(example?.data ?? {});
    judge();
  }

  /** Says what the schema finds, before the hub does. */
  function judge() {
    const found = check();
    problems.replaceChildren(...found.map((text) => h("li", {}, text)));
    return found.length === 0;
  }

  function check() {
    let value;
    try {
      value = JSON.parse(data.value);
    } catch (error) {
      return [`not JSON: ${error.message}`];
    }
    const schema = eventNamed(type.value)?.publish?.payload?.properties?.data;
    return schema ? violations(model, schema, value).map(({ pointer, message }) => `${pointer || "the data"} ${message}`) : [];
  }

  function toggle(event) {
    event.preventDefault();
    if (kept.live) {
      kept.live.close();
      kept.live = null;
      return;
    }
    kept.live = new Live({
      address: socketAddress(model), token: token.value.trim(), channel: name.value.trim(), since: since.value,
      closeCodes: model.about.closeCodes,
      on: { state, event: show, note: (text, kind) => add(h("li", { class: kind }, text)) },
    });
  }

  function state(text, kind) {
    status.textContent = text;
    status.dataset.state = kind;
    if (kind === "closed") kept.live = null;
    connect.textContent = kind === "closed" ? "Connect" : "Disconnect";
    publishButton.disabled = kind !== "open";
  }

  async function publish(event) {
    event.preventDefault();
    if (!kept.live || publishButton.disabled) return;
    // What is wrong by the schema is sent all the same: seeing the hub refuse it is part of trying.
    judge();
    try {
      const answer = await kept.live.publish(type.value, JSON.parse(data.value));
      announce(`Published at ${answer.position}`);
    } catch (error) {
      problems.replaceChildren(h("li", {}, error.message), ...(error.frame?.violations ?? []).map((one) =>
        h("li", {}, `${one.pointer || "the data"} ${one.message}`)));
    }
  }

  function show(event) {
    const known = eventNamed(event.type);
    const found = known ? violations(model, known.deliver.payload, event) : [];
    const verdict = !known ? ["unknown", "not in the catalog"] : found.length === 0 ? ["good", "as its schema says"] : ["bad", "not as its schema says"];
    add(h("li", { class: "event", "data-verdict": verdict[0], "data-position": event.position },
      h("details", {},
        h("summary", {}, h("time", {}, event.time.slice(11, 23)), h("code", {}, event.type), h("span", { class: `verdict ${verdict[0]}` }, verdict[1]),
          h("span", { class: "faint preview" }, JSON.stringify(event.data ?? event.data_base64))),
        found.length > 0 && h("ul", { class: "problems" }, found.map(({ pointer, message }) => h("li", {}, `${pointer || "the event"} ${message}`))),
        codeBlock(pretty(event), "json", "The event"))));
  }

  function add(item) {
    list.prepend(item);
    while (list.childElementCount > SHOWN_MAX) list.lastElementChild.remove();
  }

  /** `fanline dev` gives a token to whoever sits at its machine. */
  async function fetchToken() {
    if (!model.about.tokenPath || token.value !== "") return;
    const answer = await fetch(model.about.tokenPath, { cache: "no-store" }).catch(() => null);
    if (answer?.ok && token.value === "") token.value = kept.token = (await answer.json()).token;
  }
}

/** The hub that served this page; the policy of the page allows no other. */
function socketAddress(model) {
  const endpoint = model.endpointsOf("websocket")[0];
  return `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${endpoint?.address ?? "/v1/ws"}`;
}

/** Ends the session when the reader goes to another page. */
export function leaveTryPage() {
  kept.live?.close();
  kept.live = null;
}
