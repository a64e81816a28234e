// A real hub for a test file, and a network in front of it that can be cut.

import { spawn, type ChildProcess } from "node:child_process";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, connect as dial, type AddressInfo, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { WebSocket } from "ws";
import { connect, type Client, type EventMap, type Options, type TransportName } from "../../src/index.js";
import type { WebSocketConstructor } from "../../src/link.js";

const SECRET = "client-secret-of-the-tests-0123456789";

const CONFIG = `
[public]
listen = "127.0.0.1:0"
allowed_origins = ["https://app.example.com"]
[grpc]
listen = "127.0.0.1:0"
[ops]
listen = "127.0.0.1:0"
[broker]
kind = "memory"
[limits]
ring_events = 3
connect_rate_per_ip = 10000
connect_burst_per_ip = 10000
[[tokens.keys]]
kid = "client"
algorithm = "HS256"
secret = "${SECRET}"
use = "client"
[[api_keys]]
name = "all"
hash = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
scopes = ["publish"]
channels = ["*"]
[namespaces.chat]
presence = true
history_size = 1000
[namespaces.news]
history_size = 1000
[namespaces.brief]
history_size = 3
`;

export class Hub {
  readonly url: string;
  readonly #process: ChildProcess;
  readonly #folder: string;

  private constructor(url: string, process: ChildProcess, folder: string) {
    this.url = url;
    this.#process = process;
    this.#folder = folder;
  }

  /** Starts a hub. The rate of operations is not what most tests are about. */
  static async start({ rate = 10_000 } = {}): Promise<Hub> {
    const binary = process.env["FANLINE_BIN"];
    if (binary === undefined) throw new Error("FANLINE_BIN names no hub: run `cargo xtask test`, or set it");
    const folder = mkdtempSync(join(tmpdir(), "fanline-js-"));
    const config = join(folder, "fanline.toml");
    writeFileSync(config, CONFIG);
    const environment = Object.entries(process.env).filter(([name]) => !name.startsWith("FANLINE_"));
    const limits = { FANLINE_LIMITS__OPERATIONS_PER_SECOND: `${rate}`, FANLINE_LIMITS__OPERATIONS_BURST: `${2 * rate}` };
    const hub = spawn(binary, ["serve", "--config", config], {
      env: { ...Object.fromEntries(environment), ...limits },
      stdio: ["ignore", "pipe", "inherit"],
    });
    for await (const line of createInterface({ input: hub.stdout })) {
      if (!line.includes('"ready"')) continue;
      const { public: address } = JSON.parse(line) as { public: string };
      return new Hub(`http://${address}`, hub, folder);
    }
    throw new Error("the hub ended before it was ready");
  }

  async stop(): Promise<void> {
    this.#process.kill("SIGKILL");
    if (this.#process.exitCode === null && this.#process.signalCode === null) await once(this.#process, "exit");
    rmSync(this.#folder, { recursive: true });
  }
}

/** A token of Ada's, who may do all in these channels. */
export function token(lifetimeS = 3600, channels = ["chat:*", "news:*", "brief:*"], secret = SECRET): string {
  const grants = { subscribe: channels, publish: channels, presence: channels, history: channels };
  const claims = { sub: "ada", exp: Math.floor(Date.now() / 1000) + lifetimeS, channels: grants };
  const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString("base64url");
  const signed = `${encode({ alg: "HS256", kid: "client" })}.${encode(claims)}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

/** Connects over one transport. Whoever starts a client closes it. */
export function over<Events extends EventMap = Record<string, unknown>>(
  transport: TransportName,
  url: string,
  options: Options = {},
): Client<Events> {
  return connect<Events>(url, { token: token(), transports: [transport], WebSocket: nodeWebSocket, ...options });
}

export const nodeWebSocket = WebSocket as unknown as WebSocketConstructor;

/** What a handler has been given, and waiting for more of it. */
export class Seen<T> {
  readonly all: T[] = [];
  #waiting: (() => void)[] = [];

  readonly take = (value: T): void => {
    this.all.push(value);
    this.#waiting.splice(0).forEach((wake) => wake());
  };

  async until(isEnough: (all: readonly T[]) => boolean): Promise<readonly T[]> {
    const deadline = Date.now() + 60_000;
    while (!isEnough(this.all)) {
      const left = deadline - Date.now();
      if (left <= 0) throw new Error(`waited in vain; seen: ${JSON.stringify(this.all)}`);
      let timer: NodeJS.Timeout | undefined;
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
        timer = setTimeout(resolve, left);
      });
      clearTimeout(timer);
    }
    return this.all;
  }

  count(wanted: number): Promise<readonly T[]> {
    return this.until((all) => all.length >= wanted);
  }
}

/** A proxy in front of a hub: connections can be cut, and new ones refused. */
export class Network {
  readonly url: string;
  isDown = false;
  /** What the hub sends is lost on the way; what clients send arrives. */
  losesAnswers = false;
  /** Bytes with which a connection begins that is not let through. */
  refuses: RegExp | undefined;
  readonly #server: ReturnType<typeof createServer>;
  readonly #sockets: Set<Socket>;

  private constructor(server: ReturnType<typeof createServer>, sockets: Set<Socket>) {
    this.#server = server;
    this.#sockets = sockets;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  static async before(hub: Hub): Promise<Network> {
    const sockets = new Set<Socket>();
    const { hostname, port } = new URL(hub.url);
    const server = createServer((near) => {
      near.on("error", () => {});
      if (network.isDown) {
        near.destroy();
        return;
      }
      near.once("data", (first) => {
        if (network.refuses?.test(first.toString("latin1"))) {
          near.end("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
          return;
        }
        const far = dial(Number(port), hostname);
        far.on("error", () => near.destroy());
        far.on("close", () => near.destroy());
        near.on("close", () => far.destroy());
        far.write(first);
        near.pipe(far);
        far.on("data", (answer) => {
          if (network.losesAnswers || near.write(answer)) return;
          far.pause();
          near.once("drain", () => far.resume());
        });
        far.on("end", () => near.end());
        sockets.add(far);
        far.on("close", () => sockets.delete(far));
      });
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const network = new Network(server, sockets);
    return network;
  }

  /** Cuts all connections. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, "close");
  }
}
