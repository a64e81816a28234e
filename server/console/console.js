// The console of `fanline dev`: one connection, one room, and everything that passes shown.
//
// It speaks the WebSocket protocol of rooms by hand, to be read as an example: authenticate with the handshake, join with
// `since` after a broken connection, refresh nothing. What it receives is put into the page as text only.

"use strict";

const element = (id) => document.getElementById(id);
const LOG_ENTRIES_MAX = 500;
const FIRST_PAUSE_MS = 500;
const LAST_PAUSE_MS = 10_000;
// Close codes after which coming back the same way cannot help.
const FINAL_CODES = [4400, 4401, 4403, 4413];

/** The one connection. All that must survive a reconnect is in `room`. */
let socket = null;
let room = null;
let nextId = 1;
let pause = FIRST_PAUSE_MS;
let retry = null;
/** Whether this connection got as far as the hub's welcome. */
let welcomed = false;
/** What to do with the answers that are due, by id. */
const answers = new Map();

element("room").addEventListener("submit", (event) => {
  event.preventDefault();
  join(element("channel").value.trim());
});
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
element("drop").addEventListener("click", () => socket?.close());
element("clear").addEventListener("click", () => element("log").replaceChildren());

prefill();

/** Fills in the token that `fanline dev` printed. */
async function prefill() {
  const answer = await fetch("/console/token.json", { cache: "no-store" });
  if (answer.ok && element("token").value === "") {
    element("token").value = (await answer.json()).token;
  }
}

function join(channel) {
  const token = element("token").value.trim();
  const sameConnection = room !== null && room.token === token && socket?.readyState === WebSocket.OPEN;
  if (sameConnection && room.channel !== channel) {
    send({ op: "leave", channel: room.channel });
  }
  if (!sameConnection || room.channel !== channel) {
    room = { channel, token, position: null, members: new Map() };
  }
  if (sameConnection) {
    enter();
  } else {
    connect();
  }
}

function leave() {
  clearTimeout(retry);
  const { channel } = room;
  const open = socket?.readyState === WebSocket.OPEN;
  if (open) {
    send({ op: "leave", channel }, () => note("left", channel));
  }
  room = null;
  showMembers();
  showState(`left ${channel}`, open ? "open" : "closed");
}

function connect() {
  clearTimeout(retry);
  socket?.close();
  answers.clear();
  welcomed = false;
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const url = `${scheme}//${location.host}/v1/ws`;
  showState("connecting", "");
  // A browser cannot set headers here: the token goes along as a subprotocol, which the server never repeats.
  const opened = new WebSocket(url, ["fanline.v1", `fanline.bearer.${room.token}`]);
  socket = opened;
  opened.addEventListener("message", (message) => {
    if (socket === opened) {
      receive(JSON.parse(message.data));
    }
  });
  opened.addEventListener("close", (close) => {
    if (socket === opened) {
      closed(close);
    }
  });
}

function closed({ code, reason }) {
  socket = null;
  answers.clear();
  let why = reason === "" ? `code ${code}` : `code ${code}, ${reason}`;
  if (!welcomed) {
    // A browser does not say more of a refused handshake.
    why += "; the hub is away, or it refuses the token";
  }
  note("closed", why, "problem");
  if (room === null || FINAL_CODES.includes(code)) {
    showState(`closed: ${why}`, "closed");
    return;
  }
  // Half of the pause is chance, so that clients of a hub that restarts do not all return at once.
  const wait = Math.round(pause * (0.5 + Math.random() / 2));
  pause = Math.min(pause * 2, LAST_PAUSE_MS);
  showState(`closed: ${why}; back in ${wait} ms`, "closed");
  retry = setTimeout(connect, wait);
}

/** Joins the room: after the last event seen, when there is one. */
function enter() {
  const { channel, position } = room;
  const request = { op: "join", channel };
  if (position !== null) {
    request.since = position;
  }
  send(request, (answer) => {
    room.position = answer.position;
    const resumed = position === null ? "" : answer.recovered ? ", nothing missed" : `, not resumed: ${answer.reason}`;
    note("joined", `${channel} at ${answer.position}${resumed}`);
    showState(`joined ${channel}`, "open");
    askForMembers();
  });
}

function askForMembers() {
  send(
    { op: "presence", channel: room.channel },
    ({ members }) => {
      room.members = new Map(members.map((member) => [member.connection, member]));
      showMembers();
    },
    // Not every namespace shows its members.
    () => {},
  );
}

function publish() {
  let data;
  try {
    data = JSON.parse(element("data").value);
  } catch (error) {
    note("not JSON", error.message, "problem");
    return;
  }
  send({ op: "publish", channel: room.channel, type: element("type").value.trim(), data }, (answer) =>
    note("published", `event ${answer.event_id} at ${answer.position}`),
  );
}

/** Sends a request; exactly one answer comes back for its id. */
function send(request, answered = () => {}, refused = showRefusal) {
  const id = nextId++;
  answers.set(id, { answered, refused });
  socket.send(JSON.stringify({ id, ...request }));
}

function showRefusal({ reason, message }) {
  note("refused", `${reason}: ${message}`, "problem");
}

function receive(message) {
  if (message.id !== undefined && answers.has(message.id)) {
    const { answered, refused } = answers.get(message.id);
    answers.delete(message.id);
    (message.op === "error" ? refused : answered)(message);
    return;
  }
  const here = room !== null && message.channel === room.channel;
  switch (message.op) {
    case "welcome":
      pause = FIRST_PAUSE_MS;
      welcomed = true;
      note("connected", `as ${message.user ?? "anonymous"}, connection ${message.connection}`);
      if (room !== null) {
        enter();
      }
      break;
    case "event":
      showEvent(message.event);
      break;
    case "presence":
      if (here) {
        presence(message);
      }
      break;
    case "gap":
      if (here) {
        room.position = message.to;
      }
      note("gap", `events after ${message.from} up to ${message.to} are lost: ${message.reason}`, "problem");
      break;
    case "closing":
      note("closing", message.reason ?? "");
      break;
    case "expiring":
      note("expiring", `the token ends in ${message.expires_in} s`, "problem");
      break;
    case "error":
      showRefusal(message);
      break;
    default:
      note(message.op, JSON.stringify(message));
  }
}

function presence({ joined, left }) {
  if (joined !== undefined) {
    room.members.set(joined.connection, joined);
    note("came", memberName(joined));
  }
  if (left !== undefined) {
    room.members.delete(left.connection);
    note("went", memberName(left));
  }
  showMembers();
}

function showEvent(event) {
  if (room !== null && event.channel === room.channel) {
    room.position = event.position;
  }
  const data = event.data === undefined ? `${event.content_type}, base64 ${event.data_base64}` : JSON.stringify(event.data);
  const from = event.user === undefined ? "" : `  from ${event.user}`;
  note("event", `${event.channel}  ${event.type}  ${data}${from}  at ${event.position}`, "event", new Date(event.time));
}

function memberName({ user, connection }) {
  return `${user ?? "anonymous"} (${connection})`;
}

function showMembers() {
  const members = room === null ? [] : [...room.members.values()];
  element("members").replaceChildren(
    ...members.map((member) => {
      const item = document.createElement("li");
      item.textContent = memberName(member);
      return item;
    }),
  );
}

function showState(text, state) {
  element("status").textContent = text;
  element("status").dataset.state = state;
  const open = state === "open" && socket?.readyState === WebSocket.OPEN;
  element("drop").disabled = !open;
  element("publish").disabled = !open || room === null;
  element("leave").disabled = room === null;
}

/** Adds a line to the log, which keeps to its end unless somebody scrolled back. */
function note(kind, text, style = "", time = new Date()) {
  const log = element("log");
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
  while (log.childElementCount > LOG_ENTRIES_MAX) {
    log.firstElementChild.remove();
  }
  if (atEnd) {
    log.scrollTop = log.scrollHeight;
  }
}
