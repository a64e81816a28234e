import { afterEach, beforeEach, expect, test } from "vitest";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Link, Listener, Surroundings } from "../../src/link.js";
import { sse } from "../../src/sse.js";
import { Tokens } from "../../src/token.js";

/** What the server does with the next requests, one each; the last one stays. */
let answers: ((response: ServerResponse, request: IncomingMessage) => void)[];
let asked: URL[];
let server: Server;
let link: Link | undefined;

beforeEach(async () => {
  answers = [];
  asked = [];
  server = createServer((request, response) => {
    asked.push(new URL(request.url!, "http://hub"));
    const answer = answers.length > 1 ? answers.shift()! : answers[0]!;
    answer(response, request);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
});
afterEach(() => {
  link?.close();
  server.closeAllConnections();
  server.close();
});

/** Opens a link for these channels and collects what it tells until it has said all of `last`. */
async function told(wanted: Record<string, string | undefined>, ...last: string[]): Promise<string[]> {
  const lines: string[] = [];
  await new Promise<void>((resolve) => {
    const say = (line: string): void => {
      lines.push(line);
      if (last.every((wanted) => lines.some((said) => said.startsWith(wanted)))) resolve();
    };
    const listener: Listener = {
      opened: () => say("opened"),
      joined: (channel, { position, recovered, reason }) => say(`joined ${channel} ${position} ${recovered} ${reason}`),
      refused: (channel, { reason }) => {
        delete wanted[channel];
        say(`refused ${channel} ${reason}`);
      },
      left: () => {},
      event: ({ position, data }) => say(`event ${position} ${data}`),
      moved: () => {},
      gap: ({ from, to, reason }) => say(`gap ${from} ${to} ${reason}`),
      presence: ({ joined }) => say(`presence ${joined?.connection}`),
      trouble: ({ reason }) => say(`trouble ${reason}`),
      lost: ({ reason, status, planned, retryAfterMs }) => say(`lost ${reason} ${status} ${planned} ${retryAfterMs}`),
    };
    const { port } = server.address() as AddressInfo;
    const surroundings: Surroundings = {
      base: new URL(`http://127.0.0.1:${port}/`),
      tokens: new Tokens("token"),
      fetch,
      WebSocket: undefined,
      wanted: () => new Map(Object.entries(wanted)),
    };
    link = sse(surroundings, "token", listener);
  });
  return lines;
}

const event = (position: string, data: string): string =>
  `data: ${JSON.stringify({ channel: "a", position, id: position, type: "note", time: "", data })}\nid: ${position}\n\n`;
const OPEN = 'event: fanline.open\nretry: 1200\ndata: {"channels":{"a":{"position":"e-1"}},"cursor":"e-1"}\nid: e-1\n\n';

/** An answer with these bytes in pieces of this size, which then ends unless it is to stay open. */
function stream(text: string, { piece = 1 << 16, stays = false, breaks = false } = {}) {
  return (response: ServerResponse): void => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    const bytes = Buffer.from(text);
    const write = (at: number): void => {
      if (at < bytes.length) response.write(bytes.subarray(at, at + piece), () => write(at + piece));
      else if (breaks) response.destroy();
      else if (!stays) response.end();
    };
    write(0);
  };
}

function problem(status: number, reason: string, headers: Record<string, string> = {}, channel?: string) {
  return (response: ServerResponse): void => {
    response.writeHead(status, { "content-type": "application/problem+json", ...headers });
    response.end(JSON.stringify({ status, reason, detail: "no", channel }));
  };
}

test("blocks become what happened, also when characters are cut in two", async () => {
  answers = [
    stream(
      OPEN +
        ":\n" +
        event("e-2", "ä€😀") +
        'event: fanline.cursor\ndata: {}\nid: e-2\n\n' +
        'event: fanline.gap\ndata: {"channel":"a","from":"e-2","to":"e-5","reason":"trimmed"}\n\n' +
        'event: fanline.presence\ndata: {"channel":"a","joined":{"connection":"c1","joined_at":""}}\n\n' +
        event("e-6", "last"),
      { piece: 1, stays: true },
    ),
  ];
  expect(await told({ a: undefined }, "event e-6")).toEqual([
    "opened",
    "joined a e-1 undefined undefined",
    "event e-2 ä€😀",
    "gap e-2 e-5 trimmed",
    "presence c1",
    "event e-6 last",
  ]);
});

test("a stream that the hub ends is come back to when it says; one that breaks is broken", async () => {
  answers = [stream(OPEN + "event: fanline.cursor\nretry: 2500\ndata: {}\nid: e-1\n\n")];
  expect((await told({ a: "e-1" }, "lost")).at(-1)).toBe("lost DISCONNECTED undefined true 2500");
  answers = [stream(OPEN, { breaks: true })];
  expect((await told({ a: "e-1" }, "lost")).at(-1)).toBe("lost DISCONNECTED undefined undefined undefined");
});

test("an overloaded hub, and one that wants no return, are taken at their word", async () => {
  answers = [stream('event: fanline.retry\nretry: 4000\ndata: {"reconnect":true,"reason":"LIMIT_EXCEEDED"}\n\n')];
  expect(await told({ a: undefined }, "lost")).toEqual(["lost LIMIT_EXCEEDED 503 undefined 4000"]);
  answers = [stream(OPEN + 'event: fanline.close\nretry: 1\ndata: {"reconnect":false,"reason":"TOKEN_REVOKED"}\n\n')];
  expect((await told({ a: undefined }, "lost")).at(-1)).toBe("lost TOKEN_REVOKED 403 undefined undefined");
  answers = [problem(503, "DRAINING", { "retry-after": "3" })];
  expect(await told({ a: undefined }, "lost")).toEqual(["lost DRAINING 503 undefined 3000"]);
});

test("what is no event stream is not taken for one", async () => {
  answers = [(response) => void response.writeHead(200, { "content-type": "text/html" }).end("<p>please log in")];
  expect(await told({ a: undefined }, "lost")).toEqual(["lost UNREACHABLE undefined undefined undefined"]);
  answers = [(response) => void response.writeHead(404).end("not here")];
  expect(await told({ a: undefined }, "lost")).toEqual(["lost UNREACHABLE 404 undefined undefined"]);
});

test("channels with positions share a request, a word has its own, and a refused one is found", async () => {
  answers = [
    (response, request) => {
      const channels = new URL(request.url!, "http://hub").searchParams.getAll("channel");
      if (channels.includes("bad")) return problem(403, "PERMISSION_DENIED", {}, "bad")(response);
      const starts = Object.fromEntries(channels.map((channel) => [channel, { position: "e-9" }]));
      stream(`event: fanline.open\ndata: ${JSON.stringify({ channels: starts })}\n\n`, { stays: true })(response);
    },
  ];
  const lines = await told({ a: "e-1", bad: "e-2", c: undefined, d: "last:5" }, "refused", "joined a", "joined c", "joined d");
  expect(lines).toContain("refused bad PERMISSION_DENIED");
  const queries = asked.map(({ searchParams }) => `${searchParams.getAll("channel")} ${searchParams.get("since")}`);
  expect(queries.slice(0, 2).sort()).toEqual([
    expect.stringMatching(/^a,bad,c [0-9a-f]{16}-e-\d\.[0-9a-f]{16}-e-\d$/),
    "d last:5",
  ]);
  expect(queries).toContainEqual(expect.stringMatching(/^a,c 0{16}-0-0\.[0-9a-f]{16}-e-1$/));
});
