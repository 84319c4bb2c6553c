import assert from "node:assert/strict";
import fc from "fast-check";
import { BadValue } from "../../../src/cli/values/bad_value.ts";
import { formatHostPort, hostPort } from "../../../src/cli/values/host_port.ts";

const parse = hostPort();

Deno.test("hostPort() reads IPv4, IPv6 with brackets and zones, and names", () => {
  const cases: [string, string, string, string | undefined, number][] = [
    ["192.168.1.5:9876", "ipv4", "192.168.1.5", undefined, 9876],
    ["0.0.0.0:1", "ipv4", "0.0.0.0", undefined, 1],
    ["[::1]:9876", "ipv6", "::1", undefined, 9876],
    ["[::]:65535", "ipv6", "::", undefined, 65535],
    ["[2001:DB8:0::1]:80", "ipv6", "2001:db8::1", undefined, 80],
    ["[::ffff:1.2.3.4]:80", "ipv6", "::ffff:102:304", undefined, 80],
    ["[fe80::1%eth0]:9876", "ipv6", "fe80::1", "eth0", 9876],
    ["[fe80::1%enp0s31f6.100]:9876", "ipv6", "fe80::1", "enp0s31f6.100", 9876],
    ["nas:9876", "name", "nas", undefined, 9876],
    ["nas.local.:9876", "name", "nas.local.", undefined, 9876],
    ["my-host_2.example.org:9876", "name", "my-host_2.example.org", undefined, 9876],
    ["büro.local:9876", "name", "büro.local", undefined, 9876],
    ["1password.example:9876", "name", "1password.example", undefined, 9876],
  ];
  for (const [text, kind, host, zone, port] of cases) {
    assert.deepEqual(parse(text), { kind, host, zone, port }, text);
  }
});

Deno.test("hostPort() refuses everything else", () => {
  const bad = [
    ...[
      "",
      ":",
      ":9876",
      "nas",
      "nas:",
      "nas:0",
      "nas:65536",
      "nas:-1",
      "nas:x",
      "nas: 1",
      "nas:1 ",
    ],
    ...["::1:9876", "fe80::1", "[::1]", "[::1]9876", "[]:1", "[nas]:1", "[1.2.3.4]:1", "[::g]:1"],
    ...["[::1%]:1", "[::1%a b]:1", "[fe80::1%eth0%x]:1", "[[::1]]:1", "x[::1]:1", "[::1]:1:2"],
    ...["1.2.3:80", "1.2.3.256:80", "01.2.3.4:80", "1234:80", "1.2.3.4.:80", "-nas:80", "nas-:80"],
    ...["na s:80", "nas..local:80", ".nas:80", "nas/x:80", "nas\n:80", "\u202enas:80"],
    ...[`${"a".repeat(64)}:80`, `${"a.".repeat(127)}a:80`, "http://nas:80", "user@nas:80"],
  ];
  for (const text of bad) assert.throws(() => parse(text), BadValue, text);
});

Deno.test("hostPort() takes what is missing from its options", () => {
  const lenient = hostPort({ portDefault: 9876, hostDefault: "::", allowPortZero: true });
  assert.deepEqual(lenient("nas").port, 9876);
  assert.deepEqual(lenient("[::1]"), { kind: "ipv6", host: "::1", zone: undefined, port: 9876 });
  assert.deepEqual(lenient(":0"), { kind: "ipv6", host: "::", zone: undefined, port: 0 });
  assert.throws(() => lenient("9876"), BadValue, "a lone number is not a host");
  assert.throws(() => lenient("nas:"), BadValue, "an empty port is not the default");
});

Deno.test("formatHostPort() writes what hostPort() reads back to the same value", () => {
  const ipv4 = fc.ipV4();
  const ipv6 = fc.ipV6().map((address) => `[${address}]`);
  const zoned = fc.ipV6().map((address) => `[${address}%eth0]`);
  const host = fc.oneof(ipv4, ipv6, zoned, fc.constantFrom("nas", "a.b.c", "x-1.local."));
  fc.assert(fc.property(host, fc.integer({ min: 1, max: 65535 }), (text, port) => {
    const value = parse(`${text}:${port}`);
    assert.equal(value.port, port);
    assert.deepEqual(parse(formatHostPort(value)), value);
  }));
});

Deno.test("hostPort() gives a value or a BadValue, whatever the text", () => {
  const hostile = fc.string({ unit: fc.constantFrom(..."[]:%.-1aF0\u0000é/ ") });
  fc.assert(fc.property(fc.oneof(fc.string(), hostile), (text) => {
    try {
      const value = parse(text);
      assert.ok(value.port > 0 && value.port < 65536 && value.host !== "");
    } catch (error) {
      assert.ok(error instanceof BadValue);
    }
  }));
});
