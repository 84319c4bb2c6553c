import assert from "node:assert/strict";
import { DEFAULT_LISTEN_LIMITS as LIMITS, Doorkeeper } from "../../src/quic/doorkeeper.ts";

const client = (n: number, port = 1) => ({ host: `198.51.${n >> 8}.${n & 255}`, port });
const LOCAL = { host: "127.0.0.1", port: 1 };

/** Lets in whom the doorkeeper admits. */
function knock(door: Doorkeeper, who: ReturnType<typeof client>, isProven = false, nowMs = 0) {
  const answer = door.admit(who, isProven, LIMITS, nowMs);
  return { answer, place: answer === "accept" ? door.enter(who) : undefined };
}

Deno.test("admit() asks for proof once more than 16 handshakes are under way", () => {
  const door = new Doorkeeper();
  for (let n = 0; n < 17; n++) assert.equal(knock(door, client(n)).answer, "accept");
  assert.equal(knock(door, client(18)).answer, "retry");
  for (let n = 20; door.handshakes < LIMITS.handshakesMax; n++) {
    assert.equal(knock(door, client(n), true).answer, "accept");
  }
  assert.equal(knock(door, client(999), true).answer, "ignore");
});

Deno.test("admit() keeps half the places of a host for those who prove it is theirs", () => {
  const door = new Doorkeeper();
  for (let i = 0; i < 4; i++) assert.equal(knock(door, client(1, i)).answer, "accept");
  assert.equal(knock(door, client(1, 5)).answer, "retry");
  for (let i = 0; i < 4; i++) assert.equal(knock(door, client(1, 10 + i), true).answer, "accept");
  assert.equal(knock(door, client(1, 20), true).answer, "ignore");
  assert.equal(knock(door, client(2)).answer, "accept", "another host has its own");
});

Deno.test("admit() counts a /64 of IPv6 as one host", () => {
  const door = new Doorkeeper();
  for (let i = 1; i <= 8; i++) {
    assert.equal(knock(door, { host: `2001:db8::${i}`, port: 1 }, true).answer, "accept");
  }
  assert.equal(knock(door, { host: "2001:db8::ffff:1", port: 1 }, true).answer, "ignore");
  assert.equal(knock(door, { host: "2001:db8:0:1::1", port: 1 }, true).answer, "accept");
});

Deno.test("admit() grants unproven clients 20 at once and 10 a second, all together", () => {
  const door = new Doorkeeper();
  const begin = (n: number, nowMs: number) => {
    const { answer, place } = knock(door, client(n), false, nowMs);
    if (place) door.endHandshake(place);
    return answer;
  };
  for (let n = 0; n < 20; n++) assert.equal(begin(n, 0), "accept");
  assert.equal(begin(30, 0), "retry");
  assert.equal(begin(31, 99), "retry");
  assert.equal(begin(32, 100), "accept");
  assert.equal(begin(33, 100), "retry");
  assert.equal(knock(door, client(34), true, 100).answer, "accept", "the proven are not theirs");
});

Deno.test("admit() grants each proven host 20 at once and 10 a second", () => {
  const door = new Doorkeeper();
  const begin = (n: number, nowMs: number) => {
    const { answer, place } = knock(door, client(n), true, nowMs);
    if (place) door.endHandshake(place);
    return answer;
  };
  for (let i = 0; i < 20; i++) assert.equal(begin(1, 0), "accept");
  assert.equal(begin(1, 50), "ignore");
  assert.equal(begin(2, 50), "accept");
  assert.equal(begin(1, 150), "accept");
});

Deno.test("admit() spares loopback the rate and the share of a host, not the totals", () => {
  const door = new Doorkeeper();
  for (let i = 0; i < 17; i++) assert.equal(knock(door, LOCAL).answer, "accept");
  assert.equal(knock(door, LOCAL).answer, "retry");
  while (door.handshakes < LIMITS.handshakesMax) {
    assert.equal(knock(door, LOCAL, true).answer, "accept");
  }
  assert.equal(knock(door, LOCAL, true).answer, "ignore");
});

Deno.test("endHandshake() frees the place, leave() the connection", () => {
  const door = new Doorkeeper();
  const limits = { ...LIMITS, connectionsMax: 2 };
  const enter = () => {
    assert.equal(door.admit(LOCAL, true, limits, 0), "accept");
    door.endHandshake(door.enter(LOCAL));
  };
  enter();
  enter();
  assert.equal(door.handshakes, 0);
  assert.equal(door.admit(LOCAL, true, limits, 0), "ignore");
  door.leave();
  assert.equal(door.admit(LOCAL, true, limits, 0), "accept");
  assert.equal(door.hostsKnown, 0);
});

Deno.test("admit() remembers a bounded number of hosts", () => {
  const door = new Doorkeeper();
  for (let n = 0; n < 5000; n++) {
    const { place } = knock(door, client(n), n % 2 === 0, n);
    if (place) door.endHandshake(place);
  }
  assert(door.hostsKnown <= 1024, `${door.hostsKnown}`);
});
