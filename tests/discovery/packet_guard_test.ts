import assert from "node:assert/strict";
import fc from "fast-check";
import { concat, fromHex, utf8 } from "../../src/base/bytes.ts";
import { isInSubnet, PACKET_BYTES_MAX, PacketGuard } from "../../src/discovery/packet_guard.ts";
import { nameService, searchQuery, serviceResponse } from "../../src/discovery/service_records.ts";
import { codec } from "./wire.ts";

const SOURCE = { address: "192.0.2.7", port: 5353 };
const QUERY = codec.encode(searchQuery());

function guard(): PacketGuard {
  return new PacketGuard(["192.0.2.20/24", "2001:db8:1::20/64"]);
}

Deno.test("PacketGuard admits what landropic sends", () => {
  const service = nameService({ idPrefix: "ABCDEFGH", port: 1, slot: 2 }, new Uint8Array(3));
  const response = codec.encode(serviceResponse(service, Array(16).fill("2001:db8::1")));
  for (const bytes of [QUERY, response]) assert.ok(guard().admits(bytes, SOURCE, 0));
});

Deno.test("PacketGuard admits the service label in any case and refuses all other traffic", () => {
  const upper = QUERY.map((byte) => byte >= 0x61 && byte <= 0x7a ? byte - 0x20 : byte);
  assert.ok(guard().admits(upper, SOURCE, 0));
  const others = codec.encode({
    type: "query",
    questions: [{ name: "_ipp._tcp.local", type: "PTR" }, { name: "x_landropic.local", type: "A" }],
    answers: [],
    additionals: [],
  });
  assert.ok(!guard().admits(others, SOURCE, 0));
});

Deno.test("PacketGuard refuses another port, strangers, large messages and large counts", () => {
  const padded = concat([QUERY, new Uint8Array(PACKET_BYTES_MAX - QUERY.length)]);
  assert.ok(guard().admits(padded, SOURCE, 0));
  assert.ok(!guard().admits(concat([padded, new Uint8Array(1)]), SOURCE, 0));
  assert.ok(!guard().admits(QUERY, { ...SOURCE, port: 5354 }, 0));
  assert.ok(!guard().admits(QUERY, { ...SOURCE, address: "198.51.100.1" }, 0));
  assert.ok(!guard().admits(QUERY, { ...SOURCE, address: "nonsense" }, 0));
  const withCounts = (hex: string) =>
    concat([fromHex("0000 8400"), fromHex(hex), QUERY.subarray(12)]);
  assert.ok(guard().admits(withCounts("0020 0020 0010 0010"), SOURCE, 0));
  assert.ok(!guard().admits(withCounts("0021 0000 0000 0000"), SOURCE, 0));
  assert.ok(!guard().admits(withCounts("0000 0041 0000 0000"), SOURCE, 0));
  assert.ok(!guard().admits(withCounts("0000 0020 0020 0001"), SOURCE, 0));
  assert.ok(!guard().admits(utf8("\x0a_landropic"), SOURCE, 0));
});

Deno.test("PacketGuard admits a hundred messages at once and a hundred a second", () => {
  const limited = guard();
  const admitted = (nowMs: number, tries: number) =>
    Array.from({ length: tries }, () => limited.admits(QUERY, SOURCE, nowMs)).filter(Boolean)
      .length;
  assert.equal(admitted(1000, 500), 100);
  assert.equal(admitted(1000, 10), 0);
  assert.equal(admitted(1050, 500), 5);
  assert.equal(admitted(60_000, 500), 100);
});

Deno.test("PacketGuard spends none of its rate on other services' traffic", () => {
  const limited = guard();
  const other = codec.encode({
    type: "query",
    questions: [{ name: "_ipp._tcp.local", type: "PTR" }],
    answers: [],
    additionals: [],
  });
  for (let i = 0; i < 1000; i++) limited.admits(other, SOURCE, 0);
  assert.ok(limited.admits(QUERY, SOURCE, 0));
});

Deno.test("PacketGuard.isNeighbour() knows the subnets and link-local addresses", () => {
  for (const near of ["192.0.2.255", "169.254.1.1", "2001:db8:1::9", "fe80::1", "fe80::1%eth0"]) {
    assert.ok(guard().isNeighbour(near), near);
  }
  for (const far of ["192.0.3.1", "2001:db8:2::9", "::ffff:192.0.2.7", "127.0.0.1", ""]) {
    assert.ok(!guard().isNeighbour(far), far);
  }
});

Deno.test("isInSubnet() compares exactly the prefix bits", () => {
  fc.assert(fc.property(fc.ipV4(), fc.nat(32), fc.nat(31), (address, bits, flipped) => {
    const numbers = address.split(".").map(Number);
    numbers[flipped >> 3]! ^= 0x80 >> (flipped & 7);
    assert.equal(isInSubnet(numbers.join("."), [`${address}/${bits}`]), flipped >= bits);
  }));
  for (const bad of ["", "192.0.2.7", "192.0.2.7/", "192.0.2.7/33", "x/8", "192.0.2.7/-1"]) {
    assert.equal(isInSubnet("192.0.2.7", [bad]), false, bad);
  }
  assert.equal(isInSubnet("192.0.2.7", ["::/0"]), false);
});

Deno.test("PacketGuard never throws, whatever the bytes", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), fc.string(), (bytes, address) => {
    guard().admits(bytes, { address, port: 5353 }, 0);
  }));
});
