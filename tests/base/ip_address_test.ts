import assert from "node:assert/strict";
import { isIPv4, isIPv6 } from "node:net";
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

Deno.test("parseIpAddress() takes the same texts for IPv6 as node:net", () => {
  const group = fc.oneof(
    fc.integer({ min: 0, max: 0x10fff }).map((value) => value.toString(16)),
    fc.constantFrom("", "0", "0000", "00000", "FFFF", "g", "-1", " 1", "1.2.3.4", "1.2.3", "::"),
  );
  const good = fc.integer({ min: 0, max: 0xffff }).map((value) => value.toString(16));
  const joined = (groups: fc.Arbitrary<string>) =>
    fc.array(groups, { maxLength: 9 }).map((parts) => parts.join(":"));
  const shortened = fc.tuple(joined(good), joined(good)).map((parts) => parts.join("::"));
  fc.assert(
    fc.property(fc.oneof(joined(group), joined(good), shortened), (text) => {
      assert.equal(parseIpAddress(text)?.family === 6, isIPv6(text), text);
    }),
    { numRuns: 2000 },
  );
  for (
    const text of [
      ...[
        "::",
        ":",
        ":::",
        "::1\n",
        "1::",
        "::1::",
        "1:2:3:4:5:6:7::",
        "::2:3:4:5:6:7:8",
        "::1.2.3.4",
      ],
      ...[
        "1::2:3:4:5:6:7:8",
        "1:2:3:4:5:6:1.2.3.4",
        "1:2:3:4:5:6:7:1.2.3.4",
        "1.2.3.4::",
        "1.2.3.4::1",
      ],
      ...[
        "1:2:3:4:5:6:7:8",
        "1:2:3:4:5:6:7:8:9",
        "1:2:3:4:5:6:7:",
        ":1:2:3:4:5:6:7",
        "::1.2.3.4:5",
      ],
    ]
  ) assert.equal(parseIpAddress(text)?.family === 6, isIPv6(text), text);
});
