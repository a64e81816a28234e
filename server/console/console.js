// The console of `fanline dev`: one room, over one transport or over all of them side by side.
//
// It is a page like any other with `@fanline/client`, to be read as an example. What it receives is put into the page as
// text only.

import { connect } from "/fanline.js";

const element = (id) => document.getElementById(id);
const LOG_ENTRIES_MAX = 500;
const NAMES = { websocket: "WebSocket", sse: "SSE", longpoll: "long-polling" };

/** What is joined: `{ channel, token, choice }`; null when nothing is. */
let room = null;
/** A pane for each client; the first one publishes and knows the members. */
let panes = [];
const members = new Map();

element("room").addEventListener("submit", (event) => {
  event.preventDefault();
  join();
});
element("transports").addEventListener("change", () => room !== null && move());
element("publication").addEventListener("submit", (event) => {
  event.preventDefault();
  publish();
});
element("data").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    element("publication").requestSubmit();
  }
});
element("leave").addEventListener("click", leave);
element("drop").addEventListener("click", () => panes.forEach((pane) => pane.reconnect()));
element("clear").addEventListener("click", () => panes.forEach((pane) => pane.log.replaceChildren()));

prefill();

/** Fills in the token that `fanline dev` printed. */
async function prefill() {
  const answer = await fetch("/console/token.json", { cache: "no-store" });
  if (answer.ok && element("token").value === "") {
    element("token").value = (await answer.json()).token;
  }
}

/** `all`, or the name of a transport. */
function choice() {
  return document.querySelector("[name=transport]:checked").value;
}

function join() {
  const channel = element("channel").value.trim();
  const token = element("token").value.trim();
  const goesOn = room !== null && room.token === token && room.choice === choice();
  room = { channel, token, choice: choice() };
  members.clear();
  if (goesOn && panes.every((pane) => pane.client.state.phase !== "closed")) {
    panes.forEach((pane) => pane.enter(channel));
  } else {
    arrange();
  }
  show();
}

/** One pane goes over to another transport with its client, and misses nothing. Several are other clients. */
function move() {
  const isOne = room.choice !== "all" && choice() !== "all";
  room.choice = choice();
  if (isOne) panes[0].move(choice());
  else arrange();
  show();
}

/** New panes, with new clients, for what is chosen. */
function arrange() {
  panes.forEach((pane) => pane.client.close());
  const transports = room.choice === "all" ? Object.keys(NAMES) : [room.choice];
  panes = transports.map((transport) => new Pane(transport, room));
  element("panes").replaceChildren(...panes.map((pane) => pane.root));
}

function leave() {
  panes.forEach((pane) => pane.leave());
  room = null;
  members.clear();
  show();
}

async function publish() {
  if (element("publish").disabled) return; // Ctrl+Enter does not ask the button
  const [pane] = panes;
  let data;
  try {
    data = JSON.parse(element("data").value);
  } catch (error) {
    pane.note("not JSON", error.message, "problem");
    return;
  }
  try {
    const { event_id, position } = await pane.channel.publish(element("type").value.trim(), data);
    pane.note("published", `event ${event_id} at ${position}`);
  } catch (error) {
    pane.refused(error);
  }
}

/** A client with a log of what happens to it. */
class Pane {
  constructor(transport, { channel, token }) {
    this.root = element("pane").content.cloneNode(true).firstElementChild;
    this.title = this.root.querySelector("h3");
    this.log = this.root.querySelector("ol");
    this.client = connect(location.origin, { token, transports: [transport] });
    this.client.onState((state) => this.changed(state));
    this.client.onError((error) => this.refused(error));
    this.enter(channel);
  }

  enter(name) {
    if (this.channel?.name === name) return;
    this.leave();
    this.channel = this.client.channel(name);
    const taken = [
      this.channel.on("*", (event) => this.event(event)),
      this.channel.onJoined((start) => this.joined(start)),
      this.channel.onGap(({ from, to, reason }) =>
        this.note("gap", `events after ${from ?? "the start"} up to ${to} are lost: ${reason}`, "problem"),
      ),
      this.channel.onPresence((change) => this.presence(change)),
      this.channel.onError((error) => this.refused(error)),
    ];
    this.forget = () => taken.forEach((off) => off());
  }

  leave() {
    if (this.channel === undefined) return;
    this.forget();
    this.channel.leave();
    this.note("left", this.channel.name);
    this.channel = undefined;
  }

  move(transport) {
    this.note("moving", `to ${NAMES[transport]}`);
    this.client.use(transport);
  }

  reconnect() {
    this.note("dropped", "and back");
    this.client.use(this.client.state.transport);
  }

  changed({ phase, transport, error }) {
    if (phase === "connected") this.note("connected", `over ${NAMES[transport]}`);
    if (error !== undefined) this.note(phase, `${error.reason}: ${error.message}`, "problem");
    show();
  }

  async joined({ position, recovered, reason }) {
    const resumed = recovered === undefined ? "" : recovered ? ", nothing missed" : `, not resumed: ${reason}`;
    this.note("joined", `${this.channel.name} at ${position}${resumed}`);
    show();
    if (this !== panes[0]) return;
    try {
      const present = await this.channel.presence();
      members.clear();
      for (const member of present) members.set(member.connection, member);
      showMembers();
    } catch {
      // Not every namespace shows its members.
    }
  }

  presence({ joined, left }) {
    const member = joined ?? left;
    this.note(joined === undefined ? "went" : "came", memberName(member));
    if (this !== panes[0]) return;
    if (joined === undefined) members.delete(member.connection);
    else members.set(member.connection, member);
    showMembers();
  }

  event(event) {
    const data = event.content_type === undefined ? JSON.stringify(event.data) : `${event.content_type}, base64 ${event.data_base64}`;
    const from = event.user === undefined ? "" : `  from ${event.user}`;
    this.note("event", `${event.type}  ${data}${from}  at ${event.position}`, "event", new Date(event.time));
  }

  refused({ reason, message }) {
    this.note("refused", `${reason}: ${message}`, "problem");
  }

  /** Adds a line to the log, which keeps to its end unless somebody scrolled back. */
  note(kind, text, style = "", time = new Date()) {
    const { log } = this;
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    const entry = document.createElement("li");
    entry.className = style;
    const when = document.createElement("time");
    when.dateTime = time.toISOString();
    when.textContent = time.toISOString().slice(11, 23);
    const what = document.createElement("span");
    what.className = "kind";
    what.textContent = kind;
    const how = document.createElement("span");
    how.textContent = text;
    entry.append(when, what, how);
    log.append(entry);
    while (log.childElementCount > LOG_ENTRIES_MAX) log.firstElementChild.remove();
    if (atEnd) log.scrollTop = log.scrollHeight;
  }
}

function memberName({ user, connection }) {
  return `${user ?? "anonymous"} (${connection})`;
}

function show() {
  for (const { title, client } of panes) {
    const { phase, transport } = client.state;
    title.textContent = `${NAMES[transport]}: ${phase}`;
    title.dataset.state = phase;
  }
  const isOpen = panes.length > 0 && panes.every((pane) => pane.client.state.phase === "connected");
  const isJoined = isOpen && room !== null && panes.every((pane) => pane.channel.position !== undefined);
  const status = element("status");
  status.dataset.state = isOpen ? "connected" : "";
  if (room === null) status.textContent = panes.length > 0 ? "left the room" : "not connected";
  else status.textContent = isJoined ? `joined ${room.channel}` : `joining ${room.channel}`;
  element("drop").disabled = !isOpen;
  element("publish").disabled = !isJoined;
  element("leave").disabled = room === null;
  showMembers();
}

function showMembers() {
  element("members").replaceChildren(
    ...[...members.values()].map((member) => {
      const item = document.createElement("li");
      item.textContent = memberName(member);
      return item;
    }),
  );
}
