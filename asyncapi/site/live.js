// One WebSocket to the hub, for the page that tries things: opens, joins, publishes, and comes back after a cut.
//
// It speaks the protocol by hand and small. An application uses @fanline/client.

const FIRST_PAUSE_MS = 500;
const LAST_PAUSE_MS = 10_000;

/** A session in one channel. `on` has `state(text, kind)`, `event(event)` and `note(text, kind)`. */
export class Live {
  #address; #token; #channel; #on;
  #socket = null;
  #retry = null;
  #pause = FIRST_PAUSE_MS;
  #position = null;
  #nextId = 1;
  #answers = new Map();
  #codes;

  constructor({ address, token, channel, since, closeCodes, on }) {
    this.#address = address;
    this.#token = token;
    this.#channel = channel;
    this.#position = since || null;
    this.#codes = new Map((closeCodes ?? []).map((one) => [one.code, one]));
    this.#on = on;
    this.#open();
  }

  get joined() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  /** Publishes and gives the hub's answer. */
  publish(type, data) {
    return this.#ask({ op: "publish", channel: this.#channel, type, data });
  }

  close() {
    clearTimeout(this.#retry);
    const socket = this.#socket;
    this.#socket = null;
    socket?.close(1000);
    this.#on.state("not connected", "closed");
  }

  #open() {
    this.#on.state("connecting", "waiting");
    // A browser cannot set headers on a WebSocket: the token travels as a second subprotocol.
    const socket = new WebSocket(this.#address, ["fanline.v1", `fanline.bearer.${this.#token}`]);
    this.#socket = socket;
    let welcomed = false;
    socket.onmessage = ({ data }) => {
      const frame = JSON.parse(data);
      if (frame.op === "welcome") {
        welcomed = true;
        this.#pause = FIRST_PAUSE_MS;
        this.#join();
      } else {
        this.#take(frame);
      }
    };
    socket.onclose = ({ code, reason }) => {
      if (this.#socket !== socket) return;
      this.#answers.forEach(({ reject }) => reject(new Error("the connection ended")));
      this.#answers.clear();
      const known = this.#codes.get(code);
      const text = known ? `${code}: ${known.about[0]}` : `${code}${reason ? `: ${reason}` : ""}`;
      if (!welcomed && code === 1006) {
        this.#socket = null;
        this.#on.state("refused before the upgrade: is the token good, and is this page's origin allowed?", "closed");
      } else if (known && known.reconnect !== "with_back_off") {
        this.#socket = null;
        this.#on.state(`closed, ${text}`, "closed");
      } else {
        this.#on.state(`cut off (${text}), coming back`, "waiting");
        this.#retry = setTimeout(() => this.#open(), Math.random() * this.#pause);
        this.#pause = Math.min(this.#pause * 2, LAST_PAUSE_MS);
      }
    };
  }

  async #join() {
    try {
      const since = this.#position === null ? {} : { since: this.#position };
      const answer = await this.#ask({ op: "join", channel: this.#channel, ...since });
      if (answer.recovered === false) this.#on.note(`Not everything could be resumed: ${answer.reason}.`, "problem");
      this.#position ??= answer.position;
      this.#on.state(`in ${this.#channel}`, "open");
    } catch (error) {
      this.#on.note(error.message, "problem");
      this.close();
    }
  }

  #ask(request) {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      if (!this.joined) return reject(new Error("not connected"));
      this.#answers.set(id, { resolve, reject });
      this.#socket.send(JSON.stringify({ ...request, id }));
    });
  }

  #take(frame) {
    const answer = this.#answers.get(frame.id);
    this.#answers.delete(frame.id);
    if (frame.op === "event") {
      this.#position = frame.event.position;
      this.#on.event(frame.event);
    } else if (frame.op === "error") {
      const error = Object.assign(new Error(`${frame.reason}: ${frame.message}`), { frame });
      if (answer) answer.reject(error);
      else this.#on.note(error.message, "problem");
    } else if (answer) {
      answer.resolve(frame);
    } else if (frame.op === "gap") {
      this.#on.note(`Events after ${frame.from} up to ${frame.to} are lost: ${frame.reason}.`, "problem");
    } else if (frame.op === "closing") {
      this.#on.note(`The hub closes the connection: ${frame.reason}.`, "problem");
    } else if (frame.op === "expiring") {
      this.#on.note(`The token ends in ${frame.expires_in} s.`, "problem");
    }
  }
}
