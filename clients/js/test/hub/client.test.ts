import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Client, type FanlineEvent, type Gap, type State, type TransportName } from "../../src/index.js";
import { Hub, Network, Seen, over, token } from "./hub.js";

const TRANSPORTS: readonly TransportName[] = ["websocket", "sse", "longpoll"];

let hub: Hub;
let network: Network;
const clients: Client[] = [];

beforeAll(async () => {
  hub = await Hub.start();
});
afterAll(() => hub?.stop());
beforeEach(async () => {
  network = await Network.before(hub);
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await network.close();
});

/** To be closed at the end of the test. */
function own(client: Client): Client {
  clients.push(client);
  return client;
}

const data = (events: readonly FanlineEvent[]): unknown[] => events.map((event) => event.data);
const channelOf = (test: string): string => `chat:${test.replace(/[^a-z0-9]+/gi, "-")}`;

describe.each(TRANSPORTS)("over %s", (transport) => {
  const name = (test: string): string => channelOf(`${transport} ${test}`);

  test("a client joins, publishes, and gets each event once and in order", async () => {
    const client = own(over(transport, network.url));
    const channel = client.channel(name("publish"));
    const seen = new Seen<FanlineEvent>();
    channel.on("*", seen.take);
    const start = await channel.join();
    expect(start.position).toMatch(/^\w+-0$/);
    expect(client.state).toMatchObject({ phase: "connected", transport });
    const published = [];
    for (const n of [1, 2, 3]) published.push(await channel.publish("note", { n, text: "ä€😀\r\n" }));
    const events = await seen.count(3);
    expect(data(events)).toEqual([1, 2, 3].map((n) => ({ n, text: "ä€😀\r\n" })));
    expect(events.map(({ position }) => position)).toEqual(published.map(({ position }) => position));
    expect(events[0]).toMatchObject({ channel: channel.name, type: "note", user: "ada", id: published[0]!.event_id });
  });

  test("what was published while it was away follows, once and in order", async () => {
    const channel = own(over(transport, network.url)).channel(name("away"));
    const other = own(over("websocket", hub.url)).channel(name("away"));
    const seen = new Seen<FanlineEvent>();
    channel.on("*", seen.take);
    const starts = new Seen<boolean | undefined>();
    channel.onJoined(({ recovered }) => starts.take(recovered));
    await channel.join();
    await other.publish("note", 0);
    await seen.count(1);
    for (let round = 0; round < 3; round += 1) {
      network.isDown = true;
      network.cut();
      for (let n = 1; n <= 5; n += 1) await other.publish("note", round * 5 + n);
      network.isDown = false;
      await seen.count(1 + (round + 1) * 5);
    }
    expect(data(seen.all)).toEqual(Array.from({ length: 16 }, (_, n) => n));
    expect(starts.all.slice(1).every((recovered) => recovered !== false)).toBe(true);
  });

  test("who has seen no event yet misses none either, in each of several channels", async () => {
    const client = own(over(transport, network.url));
    const other = own(over("websocket", hub.url));
    const names = ["a", "b", "c"].map((part) => name(`quiet ${part}`));
    const seen = new Seen<FanlineEvent>();
    for (const each of names) client.channel(each).on("*", seen.take);
    await Promise.all(names.map((each) => client.channel(each).join()));
    network.isDown = true;
    network.cut();
    for (const each of names) await other.channel(each).publish("note", each);
    network.isDown = false;
    await seen.count(3);
    expect(new Set(data(seen.all))).toEqual(new Set(names));
  });

  test("what history has lost is told as a gap, and what it still holds follows", async () => {
    const channel = own(over(transport, network.url)).channel(`brief:${transport}`);
    const other = own(over("websocket", hub.url)).channel(channel.name);
    const seen = new Seen<FanlineEvent>();
    const gaps = new Seen<Gap>();
    channel.on("*", seen.take);
    channel.onGap(gaps.take);
    await channel.join();
    await other.publish("note", 0);
    await seen.count(1);
    network.isDown = true;
    network.cut();
    for (let n = 1; n <= 8; n += 1) await other.publish("note", n);
    network.isDown = false;
    await seen.count(4);
    expect(data(seen.all)).toEqual([0, 6, 7, 8]);
    expect(gaps.all).toMatchObject([{ channel: channel.name, from: seen.all[0]!.position, reason: "trimmed" }]);
  });

  test("it starts where it is told to", async () => {
    const other = own(over("websocket", hub.url)).channel(name("since"));
    const positions = [];
    for (const n of [1, 2, 3, 4]) positions.push((await other.publish("note", n)).position);
    for (const [since, expected] of [
      ["earliest", [1, 2, 3, 4]],
      ["last:2", [3, 4]],
      [positions[0], [2, 3, 4]],
    ] as const) {
      const seen = new Seen<FanlineEvent>();
      own(over(transport, network.url)).channel(other.name, { since }).on("*", seen.take);
      await seen.count(expected.length);
      expect(data(seen.all)).toEqual(expected);
    }
  });

  test("channels come and go, and those that stay miss nothing", async () => {
    const client = own(over(transport, network.url));
    const other = own(over("websocket", hub.url));
    const stays = client.channel(name("stays"));
    const seen = new Seen<unknown>();
    stays.on("*", (event) => seen.take(event.data));
    await stays.join();
    const publishing = (async () => {
      for (let n = 0; n < 60; n += 1) await other.channel(stays.name).publish("note", n);
    })();
    for (let n = 0; n < 6; n += 1) {
      const comes = client.channel(name(`comes ${n}`), { since: n % 2 ? "earliest" : undefined });
      await comes.join();
      if (n % 3 === 0) comes.leave();
    }
    await publishing;
    await seen.count(60);
    expect(seen.all).toEqual(Array.from({ length: 60 }, (_, n) => n));
  });

  test("it tells who is there and what was", async () => {
    const channel = own(over(transport, network.url)).channel(name("reads"));
    await channel.join();
    for (const n of [1, 2, 3]) await channel.publish("note", n);
    expect(await channel.presence()).toMatchObject([{ user: "ada" }]);
    const history = await channel.history({ limit: 2, reverse: true });
    expect(data(history.events)).toEqual([3, 2]);
    expect(history.position).toMatch(/-3$/);
  });

  test("a publish whose connection breaks is published once", async () => {
    const client = own(over(transport, network.url));
    const channel = client.channel(name("once"));
    const other = own(over("websocket", hub.url)).channel(channel.name, { since: "earliest" });
    const seen = new Seen<FanlineEvent>();
    other.on("*", seen.take);
    await channel.join();
    // Before it is sent.
    const publishing = [];
    for (let n = 0; n < 20; n += 1) {
      publishing.push(channel.publish("note", n));
      if (n % 7 === 3) network.cut();
    }
    await Promise.all(publishing);
    await seen.count(20);
    // After it was published, and before the answer arrives.
    for (let n = 20; n < 22; n += 1) {
      await client.ready();
      network.losesAnswers = true;
      const published = channel.publish("note", n);
      const event = (await seen.count(n + 1))[n]!;
      network.cut();
      network.losesAnswers = false;
      expect(await published).toMatchObject({ event_id: event.id, position: event.position });
    }
    const { events } = await other.history({ limit: 100 });
    expect(data(events)).toEqual(Array.from({ length: 22 }, (_, n) => n));
  });

  test("a channel that is forbidden is refused, and the others go on", async () => {
    const client = own(over(transport, network.url));
    const allowed = client.channel(name("allowed"));
    const seen = new Seen<FanlineEvent>();
    allowed.on("*", seen.take);
    const also = client.channel(name("also allowed")).join();
    await expect(client.channel("news:x#somebody-else").join()).rejects.toMatchObject({ reason: "PERMISSION_DENIED" });
    await expect(client.channel("bad channel").join()).rejects.toMatchObject({ reason: "INVALID_CHANNEL" });
    await expect(client.channel("nowhere:x").join()).rejects.toMatchObject({ reason: "UNKNOWN_NAMESPACE" });
    await also;
    await allowed.publish("note", 1);
    expect(data(await seen.count(1))).toEqual([1]);
    expect(client.state.phase).toBe("connected");
  });

  test("a request that the hub refuses says why", async () => {
    const client = own(over(transport, network.url, { token: token(3600, ["chat:*"]) }));
    await expect(client.channel("news:x").publish("note", 1)).rejects.toMatchObject({ reason: "PERMISSION_DENIED" });
    await expect(client.call("nobody.answers", {})).rejects.toMatchObject({ reason: "NO_HANDLER" });
    await expect(client.channel("chat:x").publish("", 1)).rejects.toMatchObject({ reason: "INVALID_ARGUMENT", field: "type" });
  });

  test("a token that runs out is replaced, and nothing is missed", async () => {
    let asked = 0;
    // A poll has no way to say that the token will run out: its refusal does, after the leeway.
    const lifetimes = [transport === "longpoll" ? 2 : 6, 3600];
    const states = new Seen<State>();
    const client = own(over(transport, network.url, { token: () => token(lifetimes[asked++] ?? 3600) }));
    client.onState(states.take);
    const channel = client.channel(name("refresh"));
    const seen = new Seen<FanlineEvent>();
    channel.on("*", seen.take);
    await channel.join();
    const other = own(over("websocket", hub.url)).channel(channel.name);
    for (let n = 0; asked < 2 || n < 5; n += 1) {
      await other.publish("note", n);
      await seen.count(n + 1);
    }
    expect(states.all.map(({ phase }) => phase)).toEqual(["connecting", "connected"]);
    expect(data(seen.all)).toEqual(seen.all.map((_, n) => n));
  });
});

test("what the application closes is closed", async () => {
  const client = over("websocket", hub.url);
  await client.ready();
  const waiting = client.call("nobody", {});
  client.close();
  await expect(waiting).rejects.toMatchObject({ reason: "CLOSED" });
  await expect(client.ready()).rejects.toMatchObject({ reason: "CLOSED" });
  expect(client.state.phase).toBe("closed");
});

test("as many channels as a connection may have are joined, whatever the rate of operations", async () => {
  // The hub's own default.
  const slow = await Hub.start({ rate: 50 });
  try {
    const client = own(over("websocket", slow.url));
    const phases = new Seen<string>();
    client.onState(({ phase }) => phases.take(phase));
    const channels = Array.from({ length: 128 }, (_, n) => client.channel(`chat:many-${n}`));
    await Promise.all(channels.map((channel) => channel.join()));
    expect(phases.all).toEqual(["connecting", "connected"]);
  } finally {
    await slow.stop();
  }
});
