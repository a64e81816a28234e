// Server-sent events by fetch: `GET /v1/sse`. Unlike EventSource, fetch can carry the token in a header and tells why a
// request was refused.

import { FanlineError, asError, disconnected, unreachable } from "./errors.js";
import { eventStream, type Block } from "./event_stream.js";
import { read } from "./http.js";
import { HttpLink, type Follow } from "./http_link.js";
import { OPEN_TIMEOUT_MS, type Transport } from "./link.js";
import { watchdog } from "./watchdog.js";
import type { FanlineEvent, Gap, PresenceChange, Start } from "./wire.js";

const STREAM_TYPE = "text/event-stream";
/** The hub breaks its silence this often by default, in seconds. */
const HEARTBEAT_S = 20;

export const sse: Transport = (surroundings, token, listener) =>
  new HttpLink(surroundings, token, listener, follow);

const follow: Follow = async (stream) => {
  const { channels, listener, signal } = stream;
  const cut = new AbortController();
  // How it will have ended. Something on the way that buffers answers never lets the first block through.
  let end = unreachable("no event stream");
  let isOpen = false;
  let dog = watchdog(OPEN_TIMEOUT_MS, () => cut.abort());

  const open = (starts: Readonly<Record<string, Start>>, heartbeatS = HEARTBEAT_S): void => {
    isOpen = true;
    end = disconnected();
    dog.stop();
    // Two heartbeats and some more: that is no silence but an absence.
    dog = watchdog(heartbeatS * 2500, () => cut.abort());
    stream.opened();
    for (const channel of channels) listener.joined(channel, starts[channel] ?? {});
  };

  const dispatch = ({ event, data, retry: retryAfterMs }: Block): void => {
    if (signal.aborted) return;
    const said = data === "" ? {} : JSON.parse(data);
    // The hub sends `retry` with the first block, and again when it is about to end the stream.
    if (retryAfterMs !== undefined && isOpen) {
      end = new FanlineError("DISCONNECTED", "the hub ended the stream", { planned: true, retryAfterMs });
    }
    if (event === "fanline.open") open(said.channels, said.heartbeat_interval);
    else if (event === "fanline.gap") listener.gap(said as Gap);
    else if (event === "fanline.presence") listener.presence(said as PresenceChange);
    else if (event === "fanline.expiring") stream.expiring(said.expires_in);
    else if (event === "fanline.retry") end = new FanlineError("LIMIT_EXCEEDED", "overloaded", { status: 503, retryAfterMs });
    else if (event === "fanline.close" && said.reconnect === false) {
      end = new FanlineError(said.reason, "the hub ended the stream", { status: 403 });
    } else if (!event.startsWith("fanline.")) listener.event(said as FanlineEvent);
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
    if (error.status !== undefined || error.reason !== "UNREACHABLE") end = error;
  } finally {
    dog.stop();
    cut.abort();
  }
  throw end;
};
