import assert from "node:assert/strict";
import { isIPv4 } from "node:net";
import fc from "fast-check";
import {
  formatIpAddress,
  hostLimitKey,
  isIpv4,
  isLinkLocal,
  parseIpAddress,
} from "../../src/base/ip_address.ts";

Deno.test("parseIpAddress() and formatIpAddress() give the canonical text of RFC 5952", () => {
  const cases: [string, string][] = [
    ["192.0.2.1", "192.0.2.1"],
    ["2001:DB8:0:0:0:0:0:1", "2001:db8::1"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
    ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["::", "::"],
    ["::1", "::1"],
    ["1::", "1::"],
    ["::ffff:192.0.2.1", "::ffff:c000:201"],
    ["fe80::1%eth0", "fe80::1%eth0"],
    ["fe80::1%3", "fe80::1%3"],
  ];
  for (const [text, canonical] of cases) {
    assert.equal(formatIpAddress(parseIpAddress(text)!), canonical, text);
  }
});

Deno.test("parseIpAddress() refuses what is no address", () => {
  for (
    const text of [
      "",
      "localhost",
      "1.2.3",
      "256.1.1.1",
      "01.2.3.4",
      "1.2.3.4%eth0",
      "1:2:3",
      "::1::",
      "fe80::1%",
      "fe80::1%a b",
      "fe80::1%$(x)",
      "[::1]",
      `fe80::1%${"e".repeat(33)}`,
    ]
  ) assert.equal(parseIpAddress(text), undefined, text);
});

Deno.test("formatIpAddress() is read back to the same bytes", () => {
  const group = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 255 }));
  fc.assert(fc.property(fc.array(group, { minLength: 16, maxLength: 16 }), (numbers) => {
    const bytes = new Uint8Array(numbers);
    const text = formatIpAddress({ family: 6, bytes });
    assert.deepEqual(parseIpAddress(text)?.bytes, bytes);
  }));
});

Deno.test("isLinkLocal() knows both families", () => {
  for (const text of ["169.254.3.4", "fe80::1", "febf::1%eth0"]) {
    assert.equal(isLinkLocal(parseIpAddress(text)!), true, text);
  }
  for (const text of ["169.253.3.4", "192.168.0.1", "fec0::1", "fd00::1", "::1"]) {
    assert.equal(isLinkLocal(parseIpAddress(text)!), false, text);
  }
});

Deno.test("hostLimitKey() counts an IPv6 host by its /64 and a mapped IPv4 address as itself", () => {
  assert.equal(hostLimitKey("192.0.2.1"), "192.0.2.1");
  assert.equal(hostLimitKey("::ffff:192.0.2.1"), "192.0.2.1");
  assert.equal(hostLimitKey("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
  assert.equal(hostLimitKey("2001:db8:1:2::9"), hostLimitKey("2001:db8:1:2:ffff::"));
});

Deno.test("isIpv4() says the same as node:net", () => {
  const number = fc.oneof(
    fc.nat(300).map(String),
    fc.constantFrom("", "0", "00", "01", "1e1", "256", " 1", "-1", "x"),
  );
  const texts = fc.array(number, { minLength: 3, maxLength: 5 }).map((parts) => parts.join("."));
  fc.assert(fc.property(texts, (text) => assert.equal(isIpv4(text), isIPv4(text), text)));
  for (const text of ["1.2.3.4\n", "1.2.3.4.", ".1.2.3.4", "::1", "255.255.255.255", "0.0.0.0"]) {
    assert.equal(isIpv4(text), isIPv4(text), text);
  }
});
