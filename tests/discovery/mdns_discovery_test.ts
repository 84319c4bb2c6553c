import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { type LinkSpec, MdnsDiscovery, type PeerHint } from "../../src/discovery/mod.ts";
import { searchQuery, SERVICE_TYPE } from "../../src/discovery/service_records.ts";
import { codec, linkOf, settle, until, Wire } from "./wire.ts";

async function first(hints: AsyncIterable<PeerHint>): Promise<PeerHint | undefined> {
  for await (const hint of hints) return hint;
}

const DESK = { idPrefix: "ABCDEFGH", port: 9876 };
const LONG = { timeoutMs: 60_000 };

function typesSent(wire: Wire): string[] {
  return wire.sent.map(({ bytes }) => {
    const { type, answers } = codec.decode(bytes)!;
    return type === "query" ? "query" : answers[0]!.ttl === 0 ? "goodbye" : "response";
  });
}

Deno.test("MdnsDiscovery finds a service that was announced before", async () => {
  const wire = new Wire();
  let nowMs = 0;
  const clock = { nowMs: () => nowMs, wallMs: () => 0 };
  await using desk = wire.machine("192.0.2.1", { clock });
  await using laptop = wire.machine("192.0.2.2");
  await using _announced = await desk.announce({ ...DESK, slot: 42 });
  nowMs += 1000;
  const hint = await first(laptop.discover(LONG));
  assert.match(hint!.instance, /^abcdefgh-[0-9a-f]{6}$/);
  assert.deepEqual({ ...hint, instance: "" }, {
    instance: "",
    idPrefix: "ABCDEFGH",
    slot: 42,
    addresses: [{ host: "192.0.2.1", port: 9876 }],
  });
});

Deno.test("MdnsDiscovery finds a service that is announced while it searches", async () => {
  const wire = new Wire();
  await using desk = wire.machine("192.0.2.1");
  await using laptop = wire.machine("192.0.2.2");
  const searching = first(laptop.discover(LONG));
  await settle();
  await using _announced = await desk.announce(DESK);
  assert.equal((await searching)?.idPrefix, "ABCDEFGH");
});

Deno.test("MdnsDiscovery gives hints of the wanted device alone, and never its own", async () => {
  const wire = new Wire();
  await using desk = wire.machine("192.0.2.1");
  await using laptop = wire.machine("192.0.2.2");
  const searching = first(laptop.discover({ ...LONG, slot: 7 }));
  await settle();
  await using _own = await laptop.announce({ idPrefix: "XXXXXXXX", port: 1, slot: 7 });
  await using _other = await desk.announce({ ...DESK, slot: 8 });
  await using _wanted = await desk.announce({ ...DESK, slot: 7 });
  const hint = await searching;
  assert.deepEqual([hint?.idPrefix, hint?.slot], ["ABCDEFGH", 7]);
});

Deno.test("MdnsDiscovery says goodbye once, by the handle or with itself", async () => {
  const wire = new Wire();
  const desk = wire.machine("192.0.2.1");
  const handle = await desk.announce(DESK);
  await desk.announce(DESK);
  await handle[Symbol.asyncDispose]();
  await handle[Symbol.asyncDispose]();
  assert.deepEqual(typesSent(wire), ["response", "response", "goodbye"]);
  await desk[Symbol.asyncDispose]();
  await desk[Symbol.asyncDispose]();
  await handle[Symbol.asyncDispose]();
  assert.deepEqual(typesSent(wire), ["response", "response", "goodbye", "goodbye"]);
  assert.equal(wire.openLinks, 0);
});

Deno.test("MdnsDiscovery answers a flood of questions once a second", async () => {
  const query = codec.encode({
    ...searchQuery(),
    questions: Array(32).fill({ name: SERVICE_TYPE, type: "ANY" }),
  });
  for (const [secondsSinceTold, answers] of [[0, 0], [0.9, 0], [1, 1], [60, 1]] as const) {
    const wire = new Wire();
    let nowMs = 0;
    await using desk = wire.machine("192.0.2.1", {
      clock: { nowMs: () => nowMs, wallMs: () => 0 },
    });
    await using _announced = await desk.announce(DESK);
    nowMs += secondsSinceTold * 1000;
    for (let i = 0; i < 80; i++) wire.send(query, "192.0.2.66");
    await settle();
    const responses = typesSent(wire).filter((type) => type === "response").length;
    assert.equal(responses, 1 + answers, `${secondsSinceTold} s after the announcement`);
  }
});

Deno.test("MdnsDiscovery answers at the end of the quiet second whoever asked within it", async () => {
  const wire = new Wire();
  let nowMs = 0;
  await using desk = wire.machine("192.0.2.1", { clock: { nowMs: () => nowMs, wallMs: () => 0 } });
  await using _announced = await desk.announce(DESK);
  nowMs = 999;
  for (let i = 0; i < 50; i++) wire.send(codec.encode(searchQuery()), "192.0.2.66");
  const responses = () => typesSent(wire).filter((type) => type === "response").length;
  await until(() => responses() > 1);
  await settle();
  assert.equal(responses(), 2, "fifty asked, one answer");
});

Deno.test("MdnsDiscovery survives hostile messages and still finds the honest device", async () => {
  const wire = new Wire();
  await using laptop = wire.machine("192.0.2.2");
  const searching = first(laptop.discover({ ...LONG, idPrefix: "ABCDEFGH" }));
  await settle();
  const name = `zzzzzzzz-000000.${SERVICE_TYPE}`;
  const hostile = [
    ...[SERVICE_TYPE, "__proto__", "constructor"].map((asked) => ({
      type: "query" as const,
      questions: [{ name: asked, type: "PTR" }, { name: SERVICE_TYPE, type: "PTR" }],
      answers: [],
      additionals: [],
    })),
    {
      type: "response" as const,
      questions: [],
      answers: [
        { name: SERVICE_TYPE, type: "PTR", ttl: 1, class: "IN", data: name },
        { name, type: "SRV", ttl: 1, class: "IN", data: { port: 0, target: "" } },
        { name, type: "TXT", ttl: 1, class: "IN", data: [Buffer.from("__proto__=1")] },
      ],
      additionals: [],
    },
  ].map((packet) => codec.encode(packet));
  for (const bytes of hostile) {
    wire.send(bytes, "192.0.2.66");
    for (let cut = 0; cut < bytes.length; cut += 3) wire.send(bytes.subarray(0, cut), "192.0.2.66");
  }
  await settle();
  await using desk = wire.machine("192.0.2.1");
  await using _announced = await desk.announce(DESK);
  assert.equal((await searching)?.idPrefix, "ABCDEFGH");
});

Deno.test("MdnsDiscovery ignores what comes from another port or another network", async () => {
  const wire = new Wire();
  await using desk = wire.machine("192.0.2.1");
  await using _announced = await desk.announce(DESK);
  const announcement = wire.sent[0]!.bytes;
  const elsewhere = new Wire();
  await using laptop = elsewhere.machine("192.0.2.2");
  const found: PeerHint[] = [];
  const searching = (async () => {
    for await (const hint of laptop.discover({ timeoutMs: 30 })) found.push(hint);
  })();
  await settle();
  elsewhere.send(announcement, "192.0.2.1", 40_000);
  elsewhere.send(announcement, "198.51.100.1");
  await searching;
  assert.deepEqual(found, []);
});

Deno.test("MdnsDiscovery tells on each link the addresses of that link", async () => {
  const wires = { eth0: new Wire(), wlan0: new Wire() };
  const links: LinkSpec[] = [
    linkOf("192.0.2.1"),
    linkOf("198.51.100.1", { name: "wlan0", zone: "wlan0" }),
  ];
  await using desk = new MdnsDiscovery({
    links: () => links,
    openLink: (spec, events) =>
      wires[spec.name as keyof typeof wires].opener(spec.addresses[0]!)(spec, events),
  });
  await using _announced = await desk.announce(DESK);
  const told = (wire: Wire) =>
    codec.decode(wire.sent[0]!.bytes)!.answers.filter(({ type }) => type === "A");
  assert.deepEqual(told(wires.eth0).map(({ data }) => data), ["192.0.2.1"]);
  assert.deepEqual(told(wires.wlan0).map(({ data }) => data), ["198.51.100.1"]);
});

Deno.test("MdnsDiscovery tells and asks at once on an interface that comes up later", async () => {
  for (const act of ["announce", "discover"] as const) {
    const wire = new Wire();
    let links: LinkSpec[] = [];
    await using device = wire.machine("192.0.2.1", { links: () => links, linksCheckedEveryMs: 1 });
    const searching = act === "discover" ? first(device.discover(LONG)) : undefined;
    if (act === "announce") await device.announce(DESK);
    await settle();
    assert.equal(wire.openLinks, 0);
    links = [linkOf("192.0.2.1")];
    await until(() => wire.openLinks === 1);
    await settle(); // long before the next repetition
    assert.equal(typesSent(wire)[0], act === "announce" ? "response" : "query");
    links = [];
    await until(() => wire.openLinks === 0);
    await device[Symbol.asyncDispose]();
    await searching;
  }
});

Deno.test("MdnsDiscovery works on with the links that open, and without any", async () => {
  const wire = new Wire();
  await using desk = wire.machine("192.0.2.1");
  const messages: string[] = [];
  await using laptop = wire.machine("192.0.2.2", {
    links: () => [linkOf("10.0.0.1", { name: "broken" }), linkOf("192.0.2.2")],
    openLink: (spec, events) =>
      spec.name === "broken"
        ? Promise.reject(new Error("no multicast"))
        : wire.opener("192.0.2.2")(spec, events),
  });
  const searching = first(laptop.discover(LONG));
  await settle();
  await using _announced = await desk.announce(DESK);
  assert.ok(await searching);

  await using offline = wire.machine("192.0.2.3", {
    links: () => [],
    logger: { log: (level, message) => void messages.push(`${level}: ${message}`) },
  });
  assert.equal(await first(offline.discover({ timeoutMs: 0 })), undefined);
  assert.deepEqual(messages, ["warn: No network interface can be searched for peers"]);
});

Deno.test("MdnsDiscovery ends its searches with its signal and with itself", async () => {
  const wire = new Wire();
  const laptop = wire.machine("192.0.2.2");
  const reason = new Error("stopped");
  await assert.rejects(
    first(laptop.discover({ ...LONG, signal: AbortSignal.abort(reason) })),
    reason,
  );
  const searching = first(laptop.discover({ timeoutMs: Infinity }));
  await settle();
  await laptop[Symbol.asyncDispose]();
  assert.equal(await searching, undefined);
  assert.equal(await first(laptop.discover(LONG)), undefined);
});

Deno.test({
  name: "MdnsDiscovery leaves no timer and no listener behind",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    const wire = new Wire();
    await using desk = wire.machine("192.0.2.1");
    await using laptop = wire.machine("192.0.2.2");
    const controller = new AbortController();
    const searching = first(laptop.discover({ ...LONG, signal: controller.signal }));
    await settle();
    const handle = await desk.announce(DESK);
    assert.ok(await searching);
    wire.send(codec.encode(searchQuery()), "192.0.2.66");
    await settle();
    await handle[Symbol.asyncDispose]();
  },
});
