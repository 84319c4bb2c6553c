import assert from "node:assert/strict";
import fc from "fast-check";
import {
  checkHostPort,
  formatHostPort,
  isLoopback,
  resolveAddress,
  resolveListen,
} from "../../src/quic/address.ts";
import { QuicError } from "../../src/quic/errors.ts";
import { readSockaddr, SOCKADDR_BYTES_MAX, writeSockaddr } from "../../src/quic/sockaddr.ts";
import { fromHex } from "../../src/base/bytes.ts";

const zones = {
  indexOf: (name: string) => name === "eth0" ? 2 : 0,
  nameOf: (index: number) => index === 2 ? "eth0" : undefined,
};

Deno.test("formatHostPort() puts IPv6 in brackets", () => {
  assert.equal(formatHostPort({ host: "192.0.2.1", port: 80 }), "192.0.2.1:80");
  assert.equal(formatHostPort({ host: "fe80::1%eth0", port: 80 }), "[fe80::1%eth0]:80");
});

Deno.test("isLoopback() knows 127.0.0.0/8, ::1 and their disguises", () => {
  for (const host of ["127.0.0.1", "127.255.0.9", "::1", "::ffff:127.0.0.1", "0:0:0:0:0:0:0:1"]) {
    assert.equal(isLoopback(host), true, host);
  }
  for (const host of ["128.0.0.1", "::", "::2", "1::1", "::ffff:10.0.0.1", "localhost", ""]) {
    assert.equal(isLoopback(host), false, host);
  }
});

Deno.test("resolveAddress() leaves numeric addresses alone", async () => {
  for (const host of ["192.0.2.1", "2001:db8::1", "fe80::1%eth0"]) {
    assert.deepEqual(await resolveAddress(host, 5), [{ host, port: 5 }]);
  }
  assert.deepEqual(await resolveAddress("[2001:db8::1]", 5), [{ host: "2001:db8::1", port: 5 }]);
});

Deno.test("resolveAddress() resolves localhost, and names what does not resolve", async () => {
  const found = await resolveAddress("localhost", 5);
  assert(found.length > 0 && found.every(({ host, port }) => isLoopback(host) && port === 5));
  await assert.rejects(
    resolveAddress("no-such-host.invalid", 5),
    (error) =>
      error instanceof QuicError && error.code === "peer_unreachable" &&
      /no-such-host/.test(error.message),
  );
});

Deno.test("resolveListen() finds where to listen, by number or name, and says what to give instead", async () => {
  assert.deepEqual(await resolveListen({ host: "::", port: 5 }), { host: "::", port: 5 });
  assert(isLoopback((await resolveListen({ host: "localhost", port: 5 })).host));
  await assert.rejects(resolveListen({ host: "no-such-host.invalid", port: 5 }), {
    code: "usage",
    message: /^Cannot listen on "no-such-host.invalid": /,
    hint: /\[::\]/,
  });
});

Deno.test("checkHostPort() wants numbers, a real port, and a zone for link-local", () => {
  checkHostPort({ host: "::1", port: 0 }, "bind");
  checkHostPort({ host: "fe80::1%eth0", port: 65_535 }, "dial");
  for (
    const [host, port, use] of [
      ["localhost", 5, "dial"],
      ["127.0.0.1", 0, "dial"],
      ["127.0.0.1", 70_000, "bind"],
      ["127.0.0.1", 1.5, "bind"],
      ["fe80::1", 5, "dial"],
      ["127.0.0.1%eth0", 5, "dial"],
    ] as const
  ) {
    assert.throws(() => checkHostPort({ host, port }, use), QuicError, `${host}:${port}`);
  }
});

Deno.test("writeSockaddr() lays out sockaddr_in and sockaddr_in6", () => {
  const into = new Uint8Array(SOCKADDR_BYTES_MAX).fill(0xff);
  assert.equal(writeSockaddr(into, 4, { host: "192.0.2.1", port: 443 }, zones), 16);
  assert.deepEqual(into.subarray(0, 16), fromHex("0200 01bb c0000201 0000000000000000"));
  assert.equal(writeSockaddr(into, 6, { host: "fe80::1%eth0", port: 443 }, zones), 28);
  assert.deepEqual(
    into,
    fromHex("0a00 01bb 00000000 fe80000000000000 0000000000000001 02000000"),
  );
  assert.equal(writeSockaddr(into, 6, { host: "192.0.2.1", port: 443 }, zones), 28);
  assert.deepEqual(
    into,
    fromHex("0a00 01bb 00000000 00000000000000000000ffff c0000201 00000000"),
  );
  assert.equal(writeSockaddr(into, 4, { host: "::1", port: 1 }, zones), undefined);
  assert.equal(writeSockaddr(into, 6, { host: "fe80::1%wlan9", port: 1 }, zones), undefined);
});

Deno.test("readSockaddr() gives back what writeSockaddr() wrote", () => {
  fc.assert(fc.property(
    fc.oneof(fc.ipV4(), fc.constantFrom("fe80::1%eth0", "2001:db8::1", "::1", "fe80::2%7")),
    fc.integer({ min: 0, max: 65_535 }),
    fc.boolean(),
    (host, port, preferIpv4) => {
      const into = new Uint8Array(SOCKADDR_BYTES_MAX);
      const family = preferIpv4 && !host.includes(":") ? 4 : 6;
      assert(writeSockaddr(into, family, { host, port }, zones) !== undefined);
      assert.deepEqual(readSockaddr(into, zones), { host, port });
    },
  ));
});
