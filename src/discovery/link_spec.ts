import type { NetworkInterfaceInfo } from "node:os";
import type { DnsPacket } from "./dns_codec.ts";
import { isInSubnet } from "./packet_guard.ts";

/** Interfaces and families joined at most; hosts full of containers have hundreds. */
export const LINKS_MAX = 32;

/** One network interface in one address family. */
export interface LinkSpec {
  readonly family: 4 | 6;
  /** Name of the interface. */
  readonly name: string;
  /** What stands behind the `%` of its link-local addresses: the name, on Windows the index. */
  readonly zone: string;
  /** Its addresses of both families, without zones: what is announced there and nowhere else. */
  readonly addresses: readonly string[];
  /** Its networks of this family, as CIDR. */
  readonly subnets: readonly string[];
  /** How the socket calls name the interface: an IPv4 address of it, or `::%zone`. */
  readonly multicastInterface: string;
}

/** Lists where to speak multicast, from what the system says of its interfaces. Loopback is none. */
export function listLinks(
  interfaces: Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>,
  isWindows: boolean,
): LinkSpec[] {
  const links = Object.entries(interfaces).flatMap(([name, infos = []]) => {
    const outside = infos.filter((info) => !info.internal);
    const addresses = outside.map((info) => info.address.split("%")[0]!);
    return ([4, 6] as const).flatMap((family): LinkSpec[] => {
      const own = outside.filter((info) => info.family === `IPv${family}`);
      if (own.length === 0) return [];
      const index = own.map((info) => info.scopeid ?? 0).find((scope) => scope > 0);
      const zone = isWindows && index !== undefined ? String(index) : name;
      const subnets = own.flatMap((info) => info.cidr ?? []);
      const multicastInterface = family === 4 ? own[0]!.address : `::%${zone}`;
      return [{ family, name, zone, addresses, subnets, multicastInterface }];
    });
  });
  return links.slice(0, LINKS_MAX);
}

/** Two specs with one key are the same link with the same addresses. */
export function linkKey(link: LinkSpec): string {
  return JSON.stringify([link.family, link.name, link.addresses, link.subnets]);
}

/**
 * The zones that link-local addresses of a message belong to. Linux hands a message to every socket
 * that joined the group, on whatever interface it came, so the interface is told by the other
 * addresses in the message; where none lies in a known network, it may be any.
 */
export function guessZones(
  packet: DnsPacket,
  source: string,
  links: readonly LinkSpec[],
): string[] {
  const claimed = [...packet.answers, ...packet.additionals]
    .filter(({ type }) => type === "A" || type === "AAAA")
    .map(({ data }) => data)
    .filter((data): data is string => typeof data === "string" && !/^fe[89ab]/i.test(data));
  const near = links.filter(({ subnets }) =>
    [source, ...claimed].some((address) =>
      !/^fe[89ab]/i.test(address) && isInSubnet(address, subnets)
    )
  );
  const withIpv6 = links.filter(({ family }) => family === 6);
  return [...new Set((near.length > 0 ? near : withIpv6).map(({ zone }) => zone))];
}
