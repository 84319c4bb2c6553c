import assert from "node:assert/strict";
import type { NetworkInterfaceInfo } from "node:os";
import { guessZones, linkKey, LINKS_MAX, listLinks } from "../../src/discovery/link_spec.ts";
import { nameService, serviceResponse } from "../../src/discovery/service_records.ts";

function info(cidr: string, scopeid?: number): NetworkInterfaceInfo {
  const [address = ""] = cidr.split("/");
  const base = { address, netmask: "", mac: "", internal: false, cidr };
  return address.includes(":")
    ? { ...base, family: "IPv6", scopeid: scopeid ?? 0 }
    : { ...base, family: "IPv4" };
}

const INTERFACES = {
  lo: [{ ...info("127.0.0.1/8"), internal: true }, { ...info("::1/128"), internal: true }],
  eth0: [info("192.0.2.20/24"), info("2001:db8::20/64"), info("fe80::20/64", 2)],
  wlan0: [info("198.51.100.20/24"), info("fe80::21/64", 3)],
  tun0: [info("10.8.0.2/32")],
};

Deno.test("listLinks() gives one link an interface and family, without loopback", () => {
  const links = listLinks(INTERFACES, false);
  assert.deepEqual(
    links.map(({ name, family, multicastInterface }) => [name, family, multicastInterface]),
    [
      ["eth0", 4, "192.0.2.20"],
      ["eth0", 6, "::%eth0"],
      ["wlan0", 4, "198.51.100.20"],
      ["wlan0", 6, "::%wlan0"],
      ["tun0", 4, "10.8.0.2"],
    ],
  );
  assert.deepEqual(links[1]!.subnets, ["2001:db8::20/64", "fe80::20/64"]);
});

Deno.test("listLinks() announces on a link the addresses of its own interface alone", () => {
  for (const link of listLinks(INTERFACES, false)) {
    const own = INTERFACES[link.name as keyof typeof INTERFACES].map(({ address }) => address);
    assert.deepEqual(link.addresses, own);
  }
});

Deno.test("listLinks() names zones by index on Windows", () => {
  const [, ipv6] = listLinks(INTERFACES, true);
  assert.equal(ipv6?.zone, "2");
  assert.equal(ipv6?.multicastInterface, "::%2");
});

Deno.test("listLinks() stops at a limit on hosts full of containers", () => {
  const many = Object.fromEntries(
    Array.from({ length: 300 }, (_, i) => [`veth${i}`, [info(`10.0.${i >> 8}.${i & 255}/24`)]]),
  );
  assert.equal(listLinks(many, false).length, LINKS_MAX);
});

Deno.test("linkKey() changes with the addresses", () => {
  const [before] = listLinks(INTERFACES, false);
  const [same] = listLinks(INTERFACES, false);
  const [after] = listLinks({ eth0: [info("192.0.2.21/24")] }, false);
  assert.equal(linkKey(before!), linkKey(same!));
  assert.notEqual(linkKey(before!), linkKey(after!));
});

Deno.test("guessZones() tells the interface by the other addresses of a message", () => {
  const links = listLinks(INTERFACES, false);
  const service = nameService({ idPrefix: "ABCDEFGH", port: 1 }, new Uint8Array(3));
  const zones = (source: string, ...claimed: string[]) =>
    guessZones(serviceResponse(service, claimed), source, links);
  assert.deepEqual(zones("192.0.2.7"), ["eth0"]);
  assert.deepEqual(zones("fe80::7", "198.51.100.7", "fe80::7"), ["wlan0"]);
  assert.deepEqual(zones("2001:db8::7"), ["eth0"]);
  // Nothing but link-local addresses: any interface with IPv6.
  assert.deepEqual(zones("fe80::7", "fe80::7"), ["eth0", "wlan0"]);
  assert.deepEqual(zones("fe80::7", "203.0.113.1"), ["eth0", "wlan0"]);
});
