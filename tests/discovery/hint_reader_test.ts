import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import type { DnsPacket, DnsRecord } from "../../src/discovery/dns_codec.ts";
import { readHints } from "../../src/discovery/hint_reader.ts";
import { nameService, SERVICE_TYPE, serviceResponse } from "../../src/discovery/service_records.ts";
import { codec } from "./wire.ts";

const SOURCE = { address: "192.0.2.7", zones: ["eth0"] };
const SERVICE = nameService({ idPrefix: "ABCDEFGH", port: 9876, slot: 42 }, new Uint8Array(3));
const NAME = `${SERVICE.instance}.${SERVICE_TYPE}`;

function decoded(addresses: string[]): DnsPacket {
  return codec.decode(codec.encode(serviceResponse(SERVICE, addresses)))!;
}

/** The honest response, with one record changed or taken out. */
function withRecord(type: string, change: (record: DnsRecord) => DnsRecord | undefined): DnsPacket {
  const packet = decoded(["192.0.2.7"]);
  const answers = packet.answers.flatMap((record) =>
    record.type === type ? change(record) ?? [] : [record]
  );
  return { ...packet, answers };
}

Deno.test("readHints() reads what serviceResponse() wrote, the sender's address first", () => {
  const hints = readHints(decoded(["192.0.2.8", "192.0.2.7", "2001:db8::7", "fe80::7"]), SOURCE);
  const hosts = ["192.0.2.7", "192.0.2.8", "2001:db8::7", "fe80::7%eth0"];
  assert.deepEqual(hints, [{
    instance: "abcdefgh-000000",
    idPrefix: "ABCDEFGH",
    slot: 42,
    addresses: hosts.map((host) => ({ host, port: 9876 })),
  }]);
});

Deno.test("readHints() gives a link-local address once for each zone it may belong to", () => {
  const [hint] = readHints(decoded([]), { address: "fe80::7", zones: ["eth0", "wlan0"] });
  assert.deepEqual(hint?.addresses.map(({ host }) => host), ["fe80::7%eth0", "fe80::7%wlan0"]);
});

Deno.test("readHints() leaves out addresses that no peer on a link has", () => {
  const claimed = [
    "127.0.0.1",
    "0.0.0.0",
    "224.0.0.251",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:192.0.2.9",
    "ff02::fb",
  ];
  const [hint] = readHints(decoded(claimed), SOURCE);
  assert.deepEqual(hint?.addresses, [{ host: "192.0.2.7", port: 9876 }]);
});

Deno.test("readHints() caps the addresses that one message may claim", () => {
  const claimed = Array.from({ length: 60 }, (_, i) => `198.51.100.${i}`);
  const [hint] = readHints(decoded(claimed), SOURCE);
  assert.ok(hint!.addresses.length <= 17);
});

Deno.test("readHints() reads nothing from records that landropic would not write", () => {
  const text = (...strings: string[]) => strings.map((string) => Buffer.from(string));
  const bad: Record<string, DnsPacket> = {
    "no pointer": withRecord("PTR", () => undefined),
    "no server": withRecord("SRV", () => undefined),
    "no text": withRecord("TXT", () => undefined),
    "another service": withRecord("PTR", (r) => ({ ...r, name: "_ipp._tcp.local" })),
    "goodbye": withRecord("PTR", (r) => ({ ...r, ttl: 0 })),
    "another class": withRecord("PTR", (r) => ({ ...r, class: "CH" })),
    "a chosen instance name": withRecord("PTR", (r) => ({
      ...r,
      data: `Bob's laptop.${SERVICE_TYPE}`,
    })),
    "an escape in the name": withRecord("PTR", (r) => ({ ...r, data: `\x1b[2J.${SERVICE_TYPE}` })),
    "pointer to nothing": withRecord("PTR", (r) => ({ ...r, data: null })),
    "port 0": withRecord("SRV", (r) => ({ ...r, data: { port: 0, target: "x" } })),
    "port as text": withRecord("SRV", (r) => ({ ...r, data: { port: "1", target: "x" } })),
    "no target": withRecord("SRV", (r) => ({ ...r, data: { port: 1 } })),
    "server is text": withRecord("SRV", (r) => ({ ...r, data: "x" })),
    "another version": withRecord("TXT", (r) => ({ ...r, data: text("v=2", "id=ABCDEFGH") })),
    "no id": withRecord("TXT", (r) => ({ ...r, data: text("v=1") })),
    "short id": withRecord("TXT", (r) => ({ ...r, data: text("v=1", "id=ABCDEFG") })),
    "another device's id": withRecord("TXT", (r) => ({ ...r, data: text("v=1", "id=ABCDEFGX") })),
    "text is no list": withRecord("TXT", (r) => ({ ...r, data: "v=1" })),
    "text of numbers": withRecord("TXT", (r) => ({ ...r, data: [1, 2] })),
    "text behind the sixteenth": withRecord("TXT", (r) => ({
      ...r,
      data: text(...Array(16).fill("x=1"), "v=1", "id=ABCDEFGH"),
    })),
  };
  for (const [name, packet] of Object.entries(bad)) {
    assert.deepEqual(readHints(packet, SOURCE), [], name);
  }
});

Deno.test("readHints() drops a slot out of range and keeps the hint", () => {
  for (const slot of ["0", "10000", "-1", "1e3", "042", "", "NaN"]) {
    const data = ["v=1", "id=ABCDEFGH", `slot=${slot}`].map((string) => Buffer.from(string));
    const [hint] = readHints(withRecord("TXT", (r) => ({ ...r, data })), SOURCE);
    assert.equal(hint?.idPrefix, "ABCDEFGH");
    assert.ok(!("slot" in hint), slot);
  }
});

Deno.test("readHints() reads at most four services of one message", () => {
  const answers = Array.from(
    { length: 10 },
    (_, i) => serviceResponse({ ...SERVICE, instance: `abcdefgh-00000${i}` }, []).answers,
  ).flat();
  const packet = codec.decode(codec.encode({ ...decoded([]), answers }))!;
  assert.equal(readHints(packet, SOURCE).length, 4);
});

Deno.test("readHints() never throws and stays in range, whatever the message", () => {
  const honest = codec.encode(serviceResponse(SERVICE, ["192.0.2.8", "fe80::7"]));
  const edits = fc.array(fc.tuple(fc.nat(honest.length - 1), fc.nat(255)), { maxLength: 8 });
  fc.assert(
    fc.property(edits, (edits) => {
      const bytes = new Uint8Array(honest);
      for (const [at, byte] of edits) bytes[at] = byte;
      const packet = codec.decode(bytes);
      if (!packet) return;
      for (const hint of readHints(packet, SOURCE)) {
        assert.match(hint.instance, /^[a-z2-7]{8}-[0-9a-f]{6}$/);
        assert.match(hint.idPrefix, /^[A-Z2-7]{8}$/);
        for (const { host, port } of hint.addresses) {
          assert.match(host, /^[0-9a-f.:]+(%eth0)?$/);
          assert.ok(port >= 1 && port <= 65535);
        }
      }
    }),
    { numRuns: 500 },
  );
  const junk = fc.record({
    name: fc.constantFrom(SERVICE_TYPE, NAME, `${SERVICE.instance}.local`),
    type: fc.constantFrom("PTR", "SRV", "TXT", "A", "AAAA"),
    class: fc.constant("IN"),
    ttl: fc.constant(1),
    data: fc.oneof(fc.anything(), fc.constant(NAME)),
  });
  fc.assert(fc.property(fc.array(junk, { maxLength: 8 }), (answers) => {
    readHints({ type: "response", questions: [], answers, additionals: [] }, SOURCE);
  }));
});
