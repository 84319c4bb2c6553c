import { networkInterfaces } from "node:os";
import { isLinkLocal, parseIpAddress } from "../../base/ip_address.ts";

/** What the system says of one address of an interface. */
export interface InterfaceAddress {
  readonly address: string;
  readonly internal: boolean;
}

/**
 * The addresses to put into an invitation: those that another device can dial as they stand, IPv4
 * and IPv6 in turn, since the first few have to do.
 *
 * @param bound Where this device listens; anything but "every address" is the only one.
 */
export function invitationAddresses(
  bound: string,
  countMax: number,
  interfaces: readonly InterfaceAddress[] = Object.values(networkInterfaces())
    .flatMap((list) => list ?? []),
): string[] {
  const only = parseIpAddress(bound);
  if (only && only.bytes.some((byte) => byte !== 0)) return only.zone === undefined ? [bound] : [];
  const isIpv4Only = only?.family === 4;
  const byFamily: { [family in 4 | 6]: string[] } = { 4: [], 6: [] };
  for (const { address, internal } of interfaces) {
    const parsed = parseIpAddress(address);
    // A link-local address means nothing without the other device's name of the interface.
    if (internal || !parsed || isLinkLocal(parsed)) continue;
    if (parsed.family === 4 || !isIpv4Only) byFamily[parsed.family].push(address.split("%")[0]!);
  }
  const inTurn: string[] = [];
  for (let i = 0; i < countMax; i++) {
    inTurn.push(...byFamily[4].slice(i, i + 1), ...byFamily[6].slice(i, i + 1));
  }
  return [...new Set(inTurn)].slice(0, countMax);
}
