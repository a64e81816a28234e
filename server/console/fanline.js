// `cargo xtask gen` makes this from clients/js.

// src/errors.ts
var FanlineError = class extends Error {
  constructor(reason, message, particulars) {
    super(message);
    this.reason = reason;
    Object.assign(this, { name: "FanlineError" }, particulars);
  }
  reason;
};
function unreachable(message, status) {
  return new FanlineError("UNREACHABLE", message, { status });
}
function disconnected() {
  return new FanlineError("DISCONNECTED", "the connection was lost");
}
function asError(thrown) {
  return thrown instanceof FanlineError ? thrown : unreachable(String(thrown));
}

// src/listeners.ts
var Listeners = class {
  #handlers = /* @__PURE__ */ new Set();
  /** Adds a handler, once however often it is added; the function that is returned takes it out again. */
  add(handler) {
    this.#handlers.add(handler);
    return () => void this.#handlers.delete(handler);
  }
  get size() {
    return this.#handlers.size;
  }
  emit(value) {
    for (const handler of this.#handlers) tell(handler, value);
  }
};
function tell(handler, value) {
  try {
    handler(value);
  } catch (thrown) {
    if (typeof reportError === "function") reportError(thrown);
    else console.error(thrown);
  }
}

// src/position.ts
function isSeen(position, last) {
  if (last === void 0) return false;
  const [epoch, offset] = partsOf(position);
  const [lastEpoch, lastOffset] = partsOf(last);
  if (epoch !== lastEpoch) return false;
  return offset.length === lastOffset.length ? offset <= lastOffset : offset.length < lastOffset.length;
}
function partsOf(position) {
  const cut = position.lastIndexOf("-");
  return [position.slice(0, cut), position.slice(cut + 1)];
}

// src/channel.ts
var Channel = class {
  name;
  #host;
  #byType = /* @__PURE__ */ new Map();
  #gaps = new Listeners();
  #presence = new Listeners();
  #starts = new Listeners();
  #errors = new Listeners();
  /** Who waits to hear that the channel is joined. */
  #joining = [];
  #closed;
  #since;
  #position;
  #isWanted = false;
  #isJoined = false;
  /** @internal */
  constructor(name, host, options) {
    this.name = name;
    this.#host = host;
    this.#since = options.since;
  }
  /** The position of the last event seen, or where the stream starts; `undefined` before the first join. */
  get position() {
    return this.#position;
  }
  on(type, handler) {
    const listeners = this.#byType.get(type) ?? new Listeners();
    this.#byType.set(type, listeners);
    this.#want();
    return listeners.add(handler);
  }
  /** Events were lost for good, and why. The position is past them already. */
  onGap(handler) {
    return this.#gaps.add(handler);
  }
  /** Somebody joined or left, where the namespace shows its members. */
  onPresence(handler) {
    return this.#presence.add(handler);
  }
  /** The channel is followed: after the first join and after each reconnect. */
  onJoined(handler) {
    return this.#starts.add(handler);
  }
  /** The channel cannot be followed, or the hub ended it: it is left then. */
  onError(handler) {
    return this.#errors.add(handler);
  }
  /** Joins the channel, if it is not joined, and says when the hub has it. Rejects with why it may not be, with
   * `NOT_JOINED` when it is left before, or with why the client was closed. */
  join() {
    if (this.#closed) return Promise.reject(this.#closed);
    this.#want();
    if (this.#isJoined) return Promise.resolve(this.#position === void 0 ? {} : { position: this.#position });
    return new Promise(
      (resolve, reject) => this.#joining.push((outcome) => outcome instanceof FanlineError ? reject(outcome) : resolve(outcome))
    );
  }
  /** Leaves the channel. Its handlers stay, for the case that it is joined again; it starts with the next event then. */
  leave() {
    this.#since = this.#position = void 0;
    this.#drop();
    this.#settle(new FanlineError("NOT_JOINED", `${this.name} was left`));
  }
  async publish(type, data, { key = newKey(), echo, timeoutMs } = {}) {
    const request2 = { op: "publish", channel: this.name, type, data, key };
    if (echo === false) request2.echo = false;
    return await this.#host.submit(request2, { timeoutMs });
  }
  /** Who is in the channel now. */
  async presence() {
    const answer = await this.#host.submit({ op: "presence", channel: this.name });
    return answer["members"];
  }
  /** A page of what the channel keeps. */
  async history(options = {}) {
    return await this.#host.submit({ op: "history", channel: this.name, ...options });
  }
  /** @internal Whether it is to be followed, and from where. */
  get wanted() {
    return this.#isWanted ? { since: this.#position ?? this.#since } : void 0;
  }
  /** @internal Where it is to start, unless it is followed already. */
  startAt(since) {
    if (this.#isWanted) return;
    this.#since = since;
    this.#position = void 0;
  }
  /** @internal */
  take(event) {
    if (!this.#isWanted || isSeen(event.position, this.#position)) return;
    this.#position = event.position;
    this.#byType.get(event.type)?.emit(event);
    this.#byType.get("*")?.emit(event);
  }
  /** @internal */
  joined(start, byHub) {
    if (byHub) this.#isWanted = true;
    if (!this.#isWanted) return;
    const from = this.#position;
    if (start.recovered === false) {
      this.#position = start.position;
      this.#gaps.emit({ channel: this.name, from, to: start.position, reason: start.reason ?? "expired" });
    } else if (start.position !== void 0) {
      this.moved(start.position);
    }
    this.#isJoined = true;
    this.#starts.emit(start);
    this.#settle(start);
  }
  /** @internal */
  moved(position) {
    if (this.#isWanted && !isSeen(position, this.#position)) this.#position = position;
  }
  /** @internal */
  lost(gap) {
    if (!this.#isWanted) return;
    if (gap.to !== void 0) this.#position = gap.to;
    this.#gaps.emit(gap);
  }
  /** @internal */
  changed(change) {
    this.#presence.emit(change);
  }
  /** @internal The link that carried it is gone. */
  disconnected() {
    this.#isJoined = false;
  }
  /** @internal The client is closed; whoever waits for the channel is told. */
  closed(error) {
    this.#closed = error;
    this.#isWanted = this.#isJoined = false;
    this.#errors.emit(error);
    this.#settle(error);
  }
  /** @internal */
  refused(error) {
    if (!this.#isWanted) return;
    this.#drop();
    if (this.#errors.size > 0) this.#errors.emit(error);
    else if (this.#joining.length === 0) this.#host.trouble(error);
    this.#settle(error);
  }
  /** Tells whoever waits for the channel, once. */
  #settle(outcome) {
    for (const settle of this.#joining.splice(0)) settle(outcome);
  }
  #want() {
    if (this.#isWanted || this.#closed) return;
    this.#isWanted = true;
    this.#host.changed(true);
  }
  #drop() {
    this.#isWanted = this.#isJoined = false;
    this.#host.changed(false);
  }
};
function newKey() {
  return crypto.getRandomValues(new Uint32Array(4)).join("-");
}

// src/cursor.ts
var NOBODY = "0000000000000000-0-0";
function cursorOf(channels, positions) {
  const known = channels.filter((channel) => positions.get(channel) !== void 0);
  if (known.length === 0) return void 0;
  if (channels.length === 1) return positions.get(channels[0]);
  const entries = known.map((channel) => `${keyOf(channel)}-${positions.get(channel)}`);
  if (entries.length === 1) entries.push(NOBODY);
  return entries.sort().join(".");
}
function positionIn(cursor, channel, channels) {
  if (channels.length === 1) return cursor;
  const key = `${keyOf(channel)}-`;
  return cursor.split(".").find((entry) => entry.startsWith(key))?.slice(key.length);
}
function keyOf(channel) {
  let hash = 0xcbf29ce484222325n;
  for (const letter of channel) hash = BigInt.asUintN(64, (hash ^ BigInt(letter.charCodeAt(0))) * 0x100000001b3n);
  return hash.toString(16).padStart(16, "0");
}

// src/backoff.ts
var BASE_MS = 500;
var MAX_MS = 2e4;
function pauseMs(failures, chance) {
  return Math.round(chance * Math.min(MAX_MS, BASE_MS * 2 ** Math.min(failures, 6)));
}

// src/http.ts
async function send({ base, fetch: fetch2 }, token, path, init) {
  let response;
  try {
    response = await fetch2(new URL(path, base), {
      ...init,
      headers: { ...init.headers, ...token !== void 0 && { authorization: `Bearer ${token}` } },
      // Two credentials are one too many: the hub refuses a request with both.
      credentials: token === void 0 ? "include" : "omit"
    });
  } catch (thrown) {
    throw asError(thrown);
  }
  if (response.ok) return response;
  throw await refusal(response);
}
async function read(response, take) {
  const decoder = new TextDecoder();
  const reader = response.body.getReader();
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    take(decoder.decode(piece.value, { stream: true }));
  }
}
async function refusal(response) {
  const { status, headers } = response;
  let problem = {};
  try {
    problem = Object(await response.json());
  } catch {
  }
  return errorOf(problem, status, Number(headers.get("retry-after")) * 1e3 || void 0);
}
function errorOf(problem, status, retryAfterMs) {
  return new FanlineError(problem.reason ?? "UNREACHABLE", problem.detail ?? `the answer is ${status}`, {
    field: problem.field,
    status,
    retryAfterMs,
    details: problem
  });
}

// src/uplink.ts
var JSON_TYPE = "application/json";
var LINES_TYPE = "application/x-ndjson";
async function request(surroundings, token, { op, ...fields }, signal, onPart) {
  if (op === "presence" || op === "history") {
    const given = Object.entries(fields).filter(([, value]) => value !== void 0);
    const query = new URLSearchParams(given.map(([name, value]) => [name, String(value)]));
    const response2 = await send(surroundings, token, `v1/${op}?${query}`, { signal });
    return await response2.json();
  }
  const response = await send(surroundings, token, `v1/${op}`, {
    method: "POST",
    signal,
    body: JSON.stringify(fields),
    headers: { "content-type": JSON_TYPE, accept: onPart ? LINES_TYPE : JSON_TYPE }
  });
  return onPart ? lastLine(response, onPart) : await response.json();
}
async function lastLine(response, onPart) {
  let rest = "";
  let last = { more: true };
  let isFirst = true;
  await read(response, (text) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      if (!isFirst) onPart(last["data"]);
      isFirst = false;
      last = JSON.parse(line);
    }
  });
  if (last["more"] === true) throw disconnected();
  const problem = last;
  if (problem.reason !== void 0) throw errorOf(problem, problem.status);
  return last;
}

// src/verdict.ts
function verdict({ reason, status, planned }) {
  if (planned || reason === "TOKEN_UNAVAILABLE") return "later";
  if (reason === "SIGNED_OUT") return "stop";
  if (status === void 0) return "elsewhere";
  if (status === 401) return "renew";
  if ([408, 425, 429].includes(status)) return "later";
  if (status >= 500) return status === 501 ? "elsewhere" : "later";
  return reason === "UNREACHABLE" ? "elsewhere" : "stop";
}
function mayRepeat({ op }, { reason, status }) {
  const isUnheard = reason === "DISCONNECTED" || reason === "UNREACHABLE" && status === void 0;
  return reason === "DRAINING" || isUnheard && op !== "call";
}

// src/http_link.ts
var CHANNELS_PER_STREAM = 32;
var HttpLink = class {
  #surroundings;
  #listener;
  #follow;
  #end = new AbortController();
  #streams = [];
  #token;
  #publishing = Promise.resolve();
  #isOpen = false;
  constructor(surroundings, token, listener, follow3) {
    this.#surroundings = surroundings;
    this.#token = token;
    this.#listener = listener;
    this.#follow = follow3;
    this.sync();
    if (this.#streams.length === 0) this.#start([]);
  }
  sync() {
    if (this.#end.signal.aborted) return;
    const wanted = this.#surroundings.wanted();
    const loose = new Set(wanted.keys());
    this.#streams = this.#streams.filter((stream) => {
      const { channels } = stream;
      const stays = channels.every((channel) => wanted.has(channel));
      if (stays) channels.forEach((channel) => loose.delete(channel));
      else stream.stop.abort();
      return stays;
    });
    if (loose.size === 0) return;
    const host = this.#streams.findIndex(({ channels }) => channels.length + loose.size <= CHANNELS_PER_STREAM);
    for (const { channels, stop } of host < 0 ? [] : this.#streams.splice(host, 1)) {
      stop.abort();
      channels.forEach((channel) => loose.add(channel));
    }
    for (const group of grouped(loose, wanted)) this.#streams.push(this.#start(group));
  }
  request(request2, signal, onPart) {
    const either = AbortSignal.any([signal, this.#end.signal]);
    const ask = async () => {
      for (let failures = 0; ; failures += 1) {
        try {
          return await this.#authorised((token) => request(this.#surroundings, token, request2, either, onPart));
        } catch (thrown) {
          const error = this.#end.signal.aborted ? disconnected() : asError(thrown);
          if (either.aborted || !mayRepeat(request2, error)) throw error;
          await pause(pauseMs(failures, Math.random()), either);
        }
      }
    };
    if (request2.op !== "publish") return ask();
    const published = this.#publishing.then(ask, ask);
    this.#publishing = published;
    return published;
  }
  probe() {
    for (const { stop } of this.#streams) stop.signal.dispatchEvent(new Event("probe"));
  }
  close() {
    this.#end.abort();
    for (const { stop } of this.#streams) stop.abort();
  }
  #start(channels) {
    const stop = new AbortController();
    const stream = {
      channels,
      listener: this.#listener,
      signal: stop.signal,
      query: () => queryOf(channels, this.#surroundings.wanted()),
      get: (path, query, accept, signal) => this.#authorised(
        (token) => send(this.#surroundings, token, `${path}?${query}`, { signal, headers: { accept } })
      ),
      opened: () => this.#opened(),
      expiring: (expiresInS) => void this.#surroundings.tokens.next(expiresInS).then((token) => this.#restart(token), this.#listener.trouble)
    };
    this.#follow(stream).catch((thrown) => {
      if (!stop.signal.aborted) this.#ended(channels, stop, asError(thrown));
    });
    return { channels, stop };
  }
  #ended(channels, stop, error) {
    if (!isRefusal(error)) return this.#lose(error);
    const { channel } = error.details;
    const refused = channels.length > 1 ? channels.filter((name) => name === channel) : channels;
    if (channels.length > 1 && refused.length === 0) return this.#lose(error);
    this.#opened();
    this.#streams = this.#streams.filter((stream) => stream.stop !== stop);
    refused.forEach((name) => this.#listener.refused(name, error));
    this.sync();
  }
  #opened() {
    if (this.#isOpen || this.#end.signal.aborted) return;
    this.#isOpen = true;
    this.#listener.opened();
    this.sync();
  }
  #lose(error) {
    if (this.#end.signal.aborted) return;
    this.close();
    this.#listener.lost(error);
  }
  /** Sends with the token at hand, and once more with a new one if that has run out since the link was opened. */
  async #authorised(act) {
    const token = this.#token;
    try {
      return await act(token);
    } catch (thrown) {
      if (!this.#isOpen || !this.#surroundings.tokens.renewable || asError(thrown).status !== 401) throw thrown;
      if (this.#token === token) this.#token = await this.#surroundings.tokens.renewed();
      return act(this.#token);
    }
  }
  /** Other streams, with this token, in the place of those there are. */
  #restart(token) {
    this.#token = token;
    for (const { stop } of this.#streams.splice(0)) stop.abort();
    this.sync();
  }
};
function isRefusal(error) {
  return verdict(error) === "stop" && error.details !== void 0;
}
function pause(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
function grouped(channels, wanted) {
  const byWord = /* @__PURE__ */ new Map();
  for (const channel of channels) {
    const word = wordOf(wanted.get(channel));
    byWord.set(word, [...byWord.get(word) ?? [], channel]);
  }
  const groups = [];
  for (const group of byWord.values()) {
    while (group.length > 0) groups.push(group.splice(0, CHANNELS_PER_STREAM));
  }
  return groups;
}
function queryOf(channels, wanted) {
  const query = new URLSearchParams(channels.map((channel) => ["channel", channel]));
  const since = wordOf(wanted.get(channels[0])) ?? cursorOf(channels, wanted);
  if (since !== void 0) query.set("since", since);
  return query;
}
function wordOf(since) {
  return since === void 0 || since.includes("-") ? void 0 : since;
}

// src/longpoll.ts
var WAIT_S = "25";
var ANSWER_MS = 35e3;
var AGE_MAX_MS = 30 * 6e4;
var longPoll = (surroundings, token, listener) => new HttpLink(surroundings, token, listener, follow);
var follow = async (stream) => {
  const { channels, listener } = stream;
  const begunAt = Date.now();
  const start = (starts) => {
    stream.opened();
    for (const channel of channels) listener.joined(channel, starts[channel]);
  };
  let cursor;
  let more = false;
  while (Date.now() - begunAt < AGE_MAX_MS) {
    const query = stream.query();
    if (cursor !== void 0) {
      query.delete("since");
      query.set("cursor", cursor);
    }
    query.set("wait", more ? "0" : WAIT_S);
    try {
      const batch = await poll(stream, query);
      if (cursor === void 0) start(batch.channels);
      for (const event of batch.events) {
        if (!stream.signal.aborted) listener.event(event);
      }
      stream.signal.throwIfAborted();
      ({ cursor, more } = batch);
      for (const channel of channels) listener.moved(channel, positionIn(cursor, channel, channels));
    } catch (thrown) {
      const error = asError(thrown);
      if (error.status !== 410) throw error;
      const reset = error.details;
      start(reset.channels);
      cursor = reset.oldest;
      more = true;
    }
  }
  throw new FanlineError("DISCONNECTED", "time for another transport", { planned: true, retryAfterMs: 0 });
};
async function poll({ get, signal }, query) {
  const cut = new AbortController();
  const timer = setTimeout(() => cut.abort(), ANSWER_MS);
  try {
    const response = await get("v1/poll", query, "application/json", AbortSignal.any([signal, cut.signal]));
    return await response.json();
  } finally {
    clearTimeout(timer);
  }
}

// src/machine.ts
var ASKED_MAX_MS = 36e5;
var STABLE_MS = 5e3;
var SHORT_LIVED_MAX = 2;
var BELIEF_MS = 5 * 6e4;
function machine(transports, renewable, belief = { transport: transports[0], until: 0 }) {
  return {
    phase: "idle",
    transports,
    at: Math.max(transports.indexOf(belief.transport), 0),
    tried: 0,
    failures: 0,
    refusals: 0,
    shortLived: 0,
    openedAt: 0,
    believedUntil: belief.until,
    asked: false,
    renewable
  };
}
function step(was, input, outside) {
  if (was.phase === "closed") return [was, []];
  switch (input.is) {
    case "start":
    case "rested":
    case "woken": {
      const isDue = was.phase === "waiting" ? input.is === "rested" || !was.asked : was.phase === "idle" && input.is === "start";
      return isDue ? connect(round(was, outside), was.refusals > 0 || isInTheDark(was)) : [was, []];
    }
    case "opened":
      return was.phase === "connecting" ? opened(was, outside) : [was, []];
    case "lost":
      return was.phase === "connecting" || was.phase === "connected" ? lost(was, input.loss, outside) : [was, []];
    case "use": {
      const moved = { ...was, transports: input.transports, at: 0, tried: 0, believedUntil: 0, shortLived: 0 };
      if (was.phase === "idle") return [moved, []];
      const [next, effects] = connect(moved);
      return [next, [{ do: "drop" }, ...effects]];
    }
    case "stop":
      return [{ ...was, phase: "closed" }, [{ do: "drop" }, { do: "finish" }]];
  }
}
function opened(was, { now }) {
  const until = was.at === 0 ? 0 : now + BELIEF_MS;
  return [
    { ...was, phase: "connected", tried: 0, refusals: 0, openedAt: now, believedUntil: until },
    [{ do: "remember", belief: { transport: transportAt(was), until } }]
  ];
}
function lost(was, loss, outside) {
  const wasConnected = was.phase === "connected";
  const lasted = wasConnected && (loss.planned || outside.now - was.openedAt >= STABLE_MS);
  switch (verdict(loss)) {
    case "stop":
      return finish(was, loss);
    case "renew": {
      if (!was.renewable && !lasted) return finish(was, loss);
      const refused = { ...round(was, outside), refusals: was.refusals + 1 };
      const ranOut = was.refusals === 0 && (lasted || !wasConnected);
      return ranOut ? connect(refused, was.renewable) : wait({ ...refused, failures: was.refusals }, loss, outside);
    }
    case "elsewhere": {
      if (wasConnected) break;
      const tried = was.tried + 1;
      const next = { ...was, at: (was.at + 1) % was.transports.length, tried };
      return tried < was.transports.length ? connect(next) : wait(next, loss, outside);
    }
    case "later":
      if (!wasConnected) return wait(was, loss, outside);
  }
  if (lasted) return wait({ ...was, failures: 0, shortLived: 0 }, loss, outside);
  const shortLived = was.shortLived + 1;
  if (shortLived < SHORT_LIVED_MAX) return wait({ ...was, shortLived }, loss, outside);
  const at = (was.at + 1) % was.transports.length;
  return wait({ ...was, shortLived: 0, at, believedUntil: outside.now + BELIEF_MS }, loss, outside);
}
function round(was, { now }) {
  return { ...was, tried: 0, at: now < was.believedUntil ? was.at : 0 };
}
function isInTheDark({ tried, renewable, transports }) {
  return renewable && tried > 0 && transports.every((transport) => transport === "websocket");
}
function connect(was, renew = false) {
  return [{ ...was, phase: "connecting", asked: false }, [{ do: "open", transport: transportAt(was), renew }]];
}
function wait(was, loss, { chance }) {
  const asked = loss.retryAfterMs !== void 0;
  const jitter = loss.planned && asked ? 0 : pauseMs(was.failures, chance);
  const ms = Math.min(Math.max(loss.retryAfterMs ?? 0, 0), ASKED_MAX_MS) + jitter;
  return [{ ...was, phase: "waiting", failures: was.failures + 1, asked }, [{ do: "rest", ms }]];
}
function finish(was, loss) {
  return [{ ...was, phase: "closed" }, [{ do: "finish", loss }]];
}
function transportAt({ transports, at }) {
  return transports[at];
}

// src/memory.ts
var Memory = class {
  #storage;
  #key;
  constructor(storage, base) {
    this.#storage = storage;
    this.#key = `fanline.transport ${base.href}`;
  }
  recall(now) {
    try {
      const belief = JSON.parse(this.#storage?.getItem(this.#key) ?? "null");
      return belief && belief.until > now && belief.until <= now + BELIEF_MS ? belief : void 0;
    } catch {
      return void 0;
    }
  }
  keep(belief) {
    try {
      this.#storage?.setItem(this.#key, JSON.stringify(belief));
    } catch {
    }
  }
};
function browserStorage() {
  try {
    return localStorage;
  } catch {
    return void 0;
  }
}

// src/page.ts
function observePage(woken, doubted) {
  if (typeof document === "undefined") return () => {
  };
  const shown = () => {
    if (!document.hidden) woken();
  };
  const observed = [
    [window, "online", woken],
    [window, "offline", doubted],
    // A page that comes back from the cache of the browser has lost its connections without a word.
    [window, "pageshow", shown],
    [document, "visibilitychange", shown]
  ];
  const end = new AbortController();
  for (const [target, type, handler] of observed) target.addEventListener(type, handler, { signal: end.signal });
  return () => end.abort();
}

// src/requests.ts
var TIMEOUT_MS = 15e3;
var TIMER_MAX_MS = 2 ** 31 - 1;
var WAITING_MAX = 256;
var Requests = class {
  /** All that are not settled, in the order in which they were made. */
  #entries = /* @__PURE__ */ new Set();
  #link;
  #closed;
  submit(request2, { timeoutMs = TIMEOUT_MS, onPart } = {}) {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(this.#closed);
      if (this.#entries.size >= WAITING_MAX) {
        return reject(new FanlineError("QUEUE_FULL", `${WAITING_MAX} requests wait`));
      }
      const timeout = new AbortController();
      const timer = setTimeout(() => {
        entry.settle(new FanlineError("TIMEOUT", entry.isSent ? "no answer in time" : "no connection in time"));
        timeout.abort();
      }, Math.min(timeoutMs, TIMER_MAX_MS));
      const entry = {
        request: request2,
        onPart: onPart && ((data) => tell(onPart, data)),
        timeout,
        isSent: false,
        settle: (outcome) => {
          clearTimeout(timer);
          this.#entries.delete(entry);
          if (outcome instanceof FanlineError) reject(outcome);
          else resolve(outcome);
        }
      };
      this.#entries.add(entry);
      this.#send(entry);
    });
  }
  /** From now on requests go out by this link. */
  attach(link) {
    this.#link = link;
    for (const entry of this.#entries) this.#send(entry);
  }
  /** The link is gone. */
  detach() {
    this.#link = void 0;
  }
  close(error) {
    this.#closed = error;
    this.#link = void 0;
    for (const entry of this.#entries) entry.settle(error);
  }
  #send(entry) {
    const link = this.#link;
    if (!link || entry.isSent) return;
    entry.isSent = true;
    link.request(entry.request, entry.timeout.signal, entry.onPart).then(entry.settle, (thrown) => {
      const error = asError(thrown);
      if (!mayRepeat(entry.request, error) || !this.#entries.has(entry)) return entry.settle(error);
      entry.isSent = false;
      if (this.#link !== link) this.#send(entry);
    });
  }
};

// src/event_stream.ts
var LINE_MAX = 8 * 1024 * 1024;
function eventStream(dispatch) {
  let rest = "";
  let block = empty();
  let lines = [];
  const field = (line) => {
    if (line === "") {
      block.data = lines.join("\n");
      if (block.event !== "" || lines.length > 0) dispatch(block);
      block = empty();
      lines = [];
      return;
    }
    const [, name, value] = /^([^:]*):? ?(.*)$/s.exec(line);
    if (name === "data") lines.push(value);
    else if (name === "event") block.event = value;
    else if (name === "retry" && /^\d+$/.test(value)) block.retry = Number(value);
  };
  return (piece) => {
    const complete = (rest + piece).split(/\r\n|\n|\r(?!$)/);
    rest = complete.pop();
    complete.forEach(field);
    if (rest.length > LINE_MAX) throw new RangeError("a line is too long");
  };
}
function empty() {
  return { event: "", data: "", retry: void 0 };
}

// src/link.ts
var OPEN_TIMEOUT_MS = 1e4;

// src/watchdog.ts
function watchdog(usualMs, onQuiet) {
  let until;
  let timer;
  let firesAt = Infinity;
  const fed = (quietMs = usualMs) => {
    until = Date.now() + quietMs;
    if (until < firesAt) arm();
  };
  const look = () => {
    if (Date.now() < until) return;
    fed();
    onQuiet();
  };
  const arm = () => {
    clearTimeout(timer);
    firesAt = until;
    timer = setTimeout(() => {
      firesAt = Infinity;
      look();
      if (until < firesAt) arm();
    }, until - Date.now());
  };
  const stop = () => {
    clearTimeout(timer);
    until = Infinity;
  };
  fed();
  return { fed, look, stop };
}

// src/sse.ts
var STREAM_TYPE = "text/event-stream";
var HEARTBEAT_S = 20;
var sse = (surroundings, token, listener) => new HttpLink(surroundings, token, listener, follow2);
var follow2 = async (stream) => {
  const { channels, listener, signal } = stream;
  const cut = new AbortController();
  let end = unreachable("no event stream");
  let isOpen = false;
  let dog = watchdog(OPEN_TIMEOUT_MS, () => cut.abort());
  const open = (starts, heartbeatS = HEARTBEAT_S) => {
    isOpen = true;
    end = disconnected();
    dog.stop();
    dog = watchdog(heartbeatS * 2500, () => cut.abort());
    stream.opened();
    for (const channel of channels) listener.joined(channel, starts[channel] ?? {});
  };
  const dispatch = ({ event, data, retry: retryAfterMs }) => {
    if (signal.aborted) return;
    const said = data === "" ? {} : JSON.parse(data);
    if (retryAfterMs !== void 0 && isOpen) {
      end = new FanlineError("DISCONNECTED", "the hub ended the stream", { planned: true, retryAfterMs });
    }
    if (event === "fanline.open") open(said.channels, said.heartbeat_interval);
    else if (event === "fanline.gap") listener.gap(said);
    else if (event === "fanline.presence") listener.presence(said);
    else if (event === "fanline.expiring") stream.expiring(said.expires_in);
    else if (event === "fanline.retry") end = new FanlineError("LIMIT_EXCEEDED", "overloaded", { status: 503, retryAfterMs });
    else if (event === "fanline.close" && said.reconnect === false) {
      end = new FanlineError(said.reason, "the hub ended the stream", { status: 403 });
    } else if (!event.startsWith("fanline.")) listener.event(said);
  };
  signal.addEventListener("probe", () => dog.look(), { signal: cut.signal });
  try {
    const response = await stream.get("v1/sse", stream.query(), STREAM_TYPE, AbortSignal.any([signal, cut.signal]));
    if (!response.headers.get("content-type")?.startsWith(STREAM_TYPE)) throw end;
    const push = eventStream(dispatch);
    await read(response, (text) => {
      if (isOpen) dog.fed();
      push(text);
    });
  } catch (thrown) {
    const error = asError(thrown);
    if (error.status !== void 0 || error.reason !== "UNREACHABLE") end = error;
  } finally {
    dog.stop();
    cut.abort();
  }
  throw end;
};

// src/token.ts
var ANSWER_MS2 = 3e4;
var RENEWAL_MIN_MS = 3e3;
var Tokens = class {
  #source;
  #token;
  #asking;
  #askedAt = 0;
  #timer;
  constructor(source) {
    this.#source = source;
    if (typeof source === "string") this.#token = source;
  }
  get renewable() {
    return typeof this.#source === "function";
  }
  /** The token to use now; `undefined` when the application has none and leaves it to cookies. */
  async current() {
    return this.#source === void 0 ? void 0 : this.#token ?? this.renewed();
  }
  /** A new token. Whoever asks meanwhile gets the same. */
  async renewed() {
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = void 0;
    });
    return this.#asking;
  }
  /**
   * The token after this one, which has so many seconds left: at once, but not before half of its life is over, as one that
   * is short-lived from the start would be replaced again and again. Never without a callback.
   */
  next(expiresInS) {
    const leftMs = expiresInS * 1e3 - (Date.now() - this.#askedAt);
    const waitMs = leftMs > 0 ? Math.max(leftMs / 2, RENEWAL_MIN_MS) : 0;
    return new Promise((resolve, reject) => {
      clearTimeout(this.#timer);
      if (this.renewable) this.#timer = setTimeout(() => this.renewed().then(resolve, reject), waitMs);
    });
  }
  /** There is no link any more whose token could run out. */
  stop() {
    clearTimeout(this.#timer);
  }
  async #ask() {
    let token = null;
    let timer;
    const silence = new Promise((_, reject) => {
      timer = setTimeout(() => reject("no answer in time"), ANSWER_MS2);
    });
    try {
      if (typeof this.#source === "function") token = await Promise.race([this.#source(), silence]);
    } catch (thrown) {
      throw new FanlineError("TOKEN_UNAVAILABLE", `the callback failed: ${thrown}`);
    } finally {
      clearTimeout(timer);
    }
    if (!token) throw new FanlineError("SIGNED_OUT", "there is no token");
    this.#askedAt = Date.now();
    return this.#token = token;
  }
};

// src/websocket.ts
var webSocket = (surroundings, token, listener) => new WebSocketLink(surroundings, token, listener);
var PONG_TIMEOUT_MS = 1e4;
var JOINS_MAX = 16;
var JOIN_PAUSE_MS = 250;
var TOO_BIG = 1009;
var SERVICE_RESTART = 1012;
var UNHEARD = { resolve() {
}, reject() {
} };
var WebSocketLink = class {
  #surroundings;
  #listener;
  #due = /* @__PURE__ */ new Map();
  /** The channels that this link is in, or has asked to be. */
  #joined = /* @__PURE__ */ new Set();
  #watchdog;
  #joinsDue = 0;
  /** Until it fires nothing is joined. */
  #joinPause;
  #socket;
  #closing;
  #nextId = 1;
  #isOpen = false;
  /** It was quiet for so long that a ping is under way. */
  #isDoubted = false;
  constructor(surroundings, token, listener) {
    this.#surroundings = surroundings;
    this.#listener = listener;
    const url = new URL("v1/ws", surroundings.base);
    url.protocol = url.protocol.replace("http", "ws");
    const protocols = token === void 0 ? ["fanline.v1"] : ["fanline.v1", `fanline.bearer.${token}`];
    const socket = new surroundings.WebSocket(url.href, protocols);
    this.#socket = socket;
    this.#watchdog = watchdog(OPEN_TIMEOUT_MS, () => this.#end(unreachable("no welcome")));
    socket.onmessage = ({ data }) => this.#receive(String(data));
    socket.onclose = ({ code, reason }) => this.#end(this.#lossOf(code, reason));
    socket.onerror = () => {
    };
  }
  sync() {
    if (!this.#isOpen) return;
    const wanted = this.#surroundings.wanted();
    for (const channel of this.#joined) {
      if (!wanted.has(channel)) this.#leave(channel);
    }
    for (const [channel, since] of wanted) {
      if (this.#joinPause || this.#joinsDue >= JOINS_MAX) return;
      if (!this.#joined.has(channel)) this.#join(channel, since);
    }
  }
  request(request2, signal, onPart) {
    return new Promise((resolve, reject) => {
      const id = this.#ask(request2, { onPart, resolve, reject });
      signal.addEventListener("abort", () => this.#due.delete(id));
    });
  }
  probe() {
    this.#ping(PONG_TIMEOUT_MS / 2);
  }
  close() {
    this.#stop(1e3);
  }
  /** Sends a request. Its answer is dealt with as it comes: a promise would let what follows it overtake it. */
  #ask(frame, due) {
    const id = this.#nextId++;
    this.#due.set(id, due);
    this.#socket.send(JSON.stringify({ id, ...frame }));
    return id;
  }
  #receive(text) {
    this.#isDoubted = false;
    if (this.#isOpen) this.#watchdog.fed();
    let frame;
    try {
      frame = JSON.parse(text);
    } catch {
      return this.#end(unreachable("this is no hub"));
    }
    const { op, id, channel, reason } = frame;
    if (id !== void 0) return this.#answered(id, frame);
    if (op === "event") this.#listener.event(frame.event);
    else if (op === "presence") this.#listener.presence(frame);
    else if (op === "gap") this.#listener.gap(frame);
    else if (op === "welcome") this.#welcomed(frame);
    else if (op === "expiring") this.#renew(frame.expires_in);
    else if (op === "closing") this.#closing = frame;
    else if (op === "joined") {
      this.#place(channel, frame);
      this.sync();
    } else if (op === "left") {
      this.#joined.delete(channel);
      this.#listener.left(channel, reason);
    } else if (op === "error") this.#listener.trouble(errorOf2(frame));
  }
  /** Gives a new token in place: the connection and its channels stay. */
  #renew(expiresInS) {
    const { trouble } = this.#listener;
    const use = (token) => {
      if (this.#isOpen) this.#ask({ op: "auth", token }, { ...UNHEARD, reject: trouble });
    };
    this.#surroundings.tokens.next(expiresInS).then(use, trouble);
  }
  #answered(id, frame) {
    const due = this.#due.get(id);
    if (!due) return;
    if (frame.more && frame.op === "reply") return due.onPart?.(frame.data);
    this.#due.delete(id);
    if (frame.op === "error") due.reject(errorOf2(frame));
    else due.resolve(frame);
  }
  #welcomed({ ping_interval, channels }) {
    this.#isOpen = true;
    this.#watchdog.stop();
    this.#watchdog = watchdog(ping_interval * 1e3, () => this.#onQuiet());
    this.#listener.opened();
    for (const [channel, start] of Object.entries(channels ?? {})) this.#place(channel, start);
    this.sync();
  }
  /** The hub put this link into a channel. One that was being followed already is resumed where it was left. */
  #place(channel, start) {
    if (!this.#isOpen) return;
    const since = this.#surroundings.wanted().get(channel);
    if (since !== void 0 && since !== start.position) return this.#leave(channel);
    this.#joined.add(channel);
    this.#listener.joined(channel, start, true);
  }
  #join(channel, since) {
    this.#joined.add(channel);
    this.#joinsDue += 1;
    const answered = (act) => {
      this.#joinsDue -= 1;
      act();
      this.sync();
    };
    this.#ask(
      { op: "join", channel, since },
      {
        resolve: (answer) => answered(() => this.#listener.joined(channel, answer)),
        reject: (error) => answered(() => this.#notJoined(channel, error))
      }
    );
  }
  #notJoined(channel, error) {
    if (error.reason === "DISCONNECTED") return;
    if (error.reason === "ALREADY_JOINED") return this.#leave(channel);
    this.#joined.delete(channel);
    if (error.retryAfterMs === void 0) return this.#listener.refused(channel, error);
    this.#joinPause ??= setTimeout(() => {
      this.#joinPause = void 0;
      this.sync();
    }, error.retryAfterMs + JOIN_PAUSE_MS);
  }
  #leave(channel) {
    this.#joined.delete(channel);
    this.#ask({ op: "leave", channel }, UNHEARD);
  }
  /** Whatever comes is an answer: the hub is there. */
  #ping(timeoutMs) {
    if (!this.#isOpen) return;
    this.#isDoubted = true;
    this.#watchdog.fed(timeoutMs);
    this.#ask({ op: "ping" }, UNHEARD);
  }
  #onQuiet() {
    if (this.#isDoubted) this.#end(unreachable("no answer in time"));
    else this.#ping(PONG_TIMEOUT_MS);
  }
  #lossOf(code, text) {
    const { reason, retry_after_ms, reconnect } = this.#closing ?? {};
    const status = code >= 4e3 ? code - 4e3 : reconnect === false ? 403 : void 0;
    const isTooBig = code === TOO_BIG;
    const unnamed = isTooBig ? "TOO_LARGE" : status === void 0 ? "UNREACHABLE" : "DISCONNECTED";
    return new FanlineError(reason ?? unnamed, text || `closed with code ${code}`, {
      status,
      retryAfterMs: retry_after_ms,
      planned: status === void 0 && (reconnect === true || code === SERVICE_RESTART || isTooBig)
    });
  }
  #end(error) {
    if (!this.#socket) return;
    this.#stop(void 0, error.reason === "TOO_LARGE" ? error : disconnected());
    this.#listener.lost(error);
  }
  #stop(code, error = disconnected()) {
    const socket = this.#socket;
    if (!socket) return;
    this.#socket = void 0;
    this.#isOpen = false;
    this.#watchdog.stop();
    clearTimeout(this.#joinPause);
    socket.onmessage = null;
    socket.onclose = null;
    socket.close(code);
    for (const due of this.#due.values()) due.reject(error);
    this.#due.clear();
  }
};
function errorOf2({ reason, message, field, retry_after_ms, ...details }) {
  return new FanlineError(reason, message ?? reason, { field, retryAfterMs: retry_after_ms, details });
}

// src/client.ts
var TRANSPORTS = { websocket: webSocket, sse, longpoll: longPoll };
function connect2(url, options = {}) {
  return new Client(url, options);
}
var Client = class {
  #surroundings;
  #memory;
  #channels = /* @__PURE__ */ new Map();
  #requests = new Requests();
  #states = new Listeners();
  #errors = new Listeners();
  #unobserve;
  #machine;
  #link;
  #timer;
  #error;
  /** Counts links, so that what an old one still says is known as such. */
  #generation = 0;
  /** @internal Use {@link connect}. */
  constructor(url, options) {
    const base = new URL(url, typeof location === "undefined" ? void 0 : location.href);
    base.protocol = base.protocol.replace("ws", "http");
    if (!base.pathname.endsWith("/")) base.pathname += "/";
    const request2 = options.fetch ?? fetch;
    this.#surroundings = {
      base,
      tokens: new Tokens(options.token),
      // A browser's fetch wants to be called on nothing.
      fetch: (input, init) => request2(input, init),
      WebSocket: options.WebSocket ?? globalThis.WebSocket,
      wanted: () => this.#wanted()
    };
    this.#memory = new Memory(options.storage ?? browserStorage(), base);
    this.#machine = machine(
      this.#available(options.transports ?? Object.keys(TRANSPORTS)),
      this.#surroundings.tokens.renewable,
      this.#memory.recall(Date.now())
    );
    this.#unobserve = observePage(
      () => {
        this.#link?.probe();
        this.#feed({ is: "woken" });
      },
      () => this.#link?.probe()
    );
    queueMicrotask(() => this.#feed({ is: "start" }));
  }
  /** The state of the connection. */
  get state() {
    return { phase: this.#machine.phase, transport: transportAt(this.#machine), error: this.#error };
  }
  /** Calls `handler` on each change of {@link Client.state}; returns how to stop. */
  onState(handler) {
    return this.#states.add(handler);
  }
  /** What went wrong and has nobody else to tell: a refused channel without a handler of its own, a failed token refresh. */
  onError(handler) {
    return this.#errors.add(handler);
  }
  /** Resolves as soon as the client is connected; rejects when it is closed for good. */
  ready() {
    return new Promise((resolve, reject) => {
      const look = ({ phase, error }) => {
        if (phase === "connected") resolve();
        else if (phase === "closed") reject(error ?? closed());
        else return;
        off();
      };
      const off = this.#states.add(look);
      look(this.state);
    });
  }
  /** A channel, by its name: always the same object. It is joined by its first handler. `since` counts as long as the
   * channel is not followed. */
  channel(name, options = {}) {
    let channel = this.#channels.get(name);
    if (!channel) {
      channel = new Channel(
        name,
        {
          submit: (request2, options2) => this.#requests.submit(request2, options2),
          // What is joined in one breath is joined at once. What is left is left before it may be joined anew.
          changed: (isWanted) => isWanted ? queueMicrotask(() => this.#link?.sync()) : this.#link?.sync(),
          trouble: (error) => this.#trouble(error)
        },
        options
      );
      this.#channels.set(name, channel);
      if (this.#machine.phase === "closed") channel.closed(this.#error ?? closed());
    } else if (options.since !== void 0) channel.startAt(options.since);
    return channel;
  }
  /** Asks a backend, and resolves with the data of its last reply. */
  async call(method, data, { channel, onPart, timeoutMs } = {}) {
    const request2 = { op: "call", method, data, ...channel !== void 0 && { channel } };
    const answer = await this.#requests.submit(request2, { onPart, timeoutMs });
    return answer["data"];
  }
  /** Goes over to other transports, in this order of preference. Channels go on where they are. */
  use(...transports) {
    this.#feed({ is: "use", transports: this.#available(transports) });
  }
  /** Ends the connection for good. What is under way fails. */
  close() {
    this.#feed({ is: "stop" });
  }
  #available(names) {
    const here = names.filter((name) => TRANSPORTS[name] && (name !== "websocket" || this.#surroundings.WebSocket));
    if (here.length === 0) throw new RangeError(`no transport works here: ${names}`);
    return here;
  }
  #feed(input) {
    const [next, effects] = step(this.#machine, input, { now: Date.now(), chance: Math.random() });
    const changed = next.phase !== this.#machine.phase || transportAt(next) !== transportAt(this.#machine);
    this.#machine = next;
    if (next.phase === "connected") this.#error = void 0;
    for (const effect of effects) this.#carryOut(effect);
    if (changed) this.#states.emit(this.state);
  }
  #carryOut(effect) {
    switch (effect.do) {
      case "open":
        clearTimeout(this.#timer);
        void this.#open(TRANSPORTS[effect.transport], effect.renew);
        break;
      case "drop":
        this.#generation += 1;
        this.#link?.close();
        this.#unlink();
        break;
      case "rest":
        this.#timer = setTimeout(() => this.#feed({ is: "rested" }), effect.ms);
        break;
      case "remember":
        this.#memory.keep(effect.belief);
        break;
      case "finish": {
        clearTimeout(this.#timer);
        this.#unobserve();
        const error = effect.loss ? this.#error : closed();
        this.#requests.close(error);
        for (const channel of this.#channels.values()) channel.closed(error);
      }
    }
  }
  async #open(transport, renew) {
    const generation = ++this.#generation;
    const lost2 = (error) => {
      if (generation !== this.#generation) return;
      this.#unlink();
      this.#error = error;
      this.#feed({ is: "lost", loss: error });
    };
    try {
      const { tokens } = this.#surroundings;
      const token = await (renew ? tokens.renewed() : tokens.current());
      if (generation !== this.#generation) return;
      this.#link = transport(this.#surroundings, token, this.#listener(generation, lost2));
    } catch (thrown) {
      lost2(asError(thrown));
    }
  }
  /** What leads from a link to here, as long as it is the link of the moment. */
  #listener(generation, lost2) {
    const now = () => generation === this.#generation;
    const at = (name) => now() ? this.#channels.get(name) : void 0;
    return {
      opened: () => {
        if (!now()) return;
        this.#feed({ is: "opened" });
        this.#requests.attach(this.#link);
      },
      // A channel that the hub put the client into is there for handlers to be added.
      joined: (name, start, byHub = false) => (byHub && now() ? this.channel(name) : at(name))?.joined(start, byHub),
      refused: (name, error) => at(name)?.refused(error),
      left: (name, reason) => at(name)?.refused(new FanlineError(reason, `the hub ended ${name}`)),
      event: (event) => at(event.channel)?.take(event),
      moved: (name, position) => at(name)?.moved(position),
      gap: (gap) => at(gap.channel)?.lost(gap),
      presence: (change) => at(change.channel)?.changed(change),
      trouble: (error) => {
        if (now() && error.reason !== "DISCONNECTED") this.#trouble(error);
      },
      lost: lost2
    };
  }
  #unlink() {
    this.#link = void 0;
    this.#requests.detach();
    this.#surroundings.tokens.stop();
    for (const channel of this.#channels.values()) channel.disconnected();
  }
  #wanted() {
    const wanted = /* @__PURE__ */ new Map();
    for (const [name, channel] of this.#channels) {
      if (channel.wanted) wanted.set(name, channel.wanted.since);
    }
    return wanted;
  }
  #trouble(error) {
    if (this.#errors.size > 0) this.#errors.emit(error);
    else console.warn(`fanline: ${error.reason}: ${error.message}`);
  }
};
function closed() {
  return new FanlineError("CLOSED", "the client was closed");
}
export {
  Channel,
  Client,
  FanlineError,
  connect2 as connect
};
