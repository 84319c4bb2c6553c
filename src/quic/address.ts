import { builtin } from "../base/builtin.ts";
import { isLinkLocal, parseIpAddress } from "../base/ip_address.ts";
import { messageOf } from "../base/errors.ts";
import { QuicError } from "./errors.ts";

/** A numeric address: IPv4, or IPv6 without brackets and with `%zone` if link-local. Port 0 to 65535. */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** `192.0.2.1:4433` or `[2001:db8::1]:4433`. */
export function formatHostPort({ host, port }: HostPort): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * All numeric addresses behind a host name, in the resolver's order, without duplicates. A numeric
 * address stands for itself; a link-local IPv6 one keeps its `%zone`.
 *
 * @throws {QuicError} `peer_unreachable` if the name does not resolve.
 */
export async function resolveAddress(host: string, port: number): Promise<HostPort[]> {
  const bare = host.startsWith("[") && host.endsWith("]") ? host.slice(1, -1) : host;
  if (parseIpAddress(bare)) return [{ host: bare, port }];
  try {
    const found = await builtin("node:dns/promises").lookup(bare, { all: true, verbatim: true });
    return [...new Set(found.map(({ address }) => address))].map((host) => ({ host, port }));
  } catch (error) {
    throw new QuicError(
      "peer_unreachable",
      `Cannot resolve host "${bare}": ${messageOf(error)}`,
      "check the name, or give an IP address",
      error,
    );
  }
}

/**
 * The numeric address to listen on behind a name, the first one where it has several.
 *
 * @throws {QuicError} `usage` if the name does not resolve.
 */
export async function resolveListen({ host, port }: HostPort): Promise<HostPort> {
  try {
    return (await resolveAddress(host, port))[0]!;
  } catch (error) {
    throw new QuicError(
      "usage",
      `Cannot listen on "${host}": ${messageOf(error)}`,
      "give an address of this machine, or [::] for all of them",
      error,
    );
  }
}

/** True for 127.0.0.0/8 and ::1, also inside IPv6 (`::ffff:127.0.0.1`): never leaves this machine. */
export function isLoopback(host: string): boolean {
  const address = parseIpAddress(host);
  if (!address) return false;
  const { family, bytes } = address;
  if (family === 4) return bytes[0] === 127;
  if (isMappedIpv4(bytes)) return bytes[12] === 127;
  return bytes.subarray(0, 15).every((byte) => byte === 0) && bytes[15] === 1;
}

/** True for an IPv4 address inside IPv6, `::ffff:0:0/96` (RFC 4291 section 2.5.5.2). */
export function isMappedIpv4(ipv6: Uint8Array): boolean {
  return ipv6[10] === 0xff && ipv6[11] === 0xff && ipv6.subarray(0, 10).every((byte) => byte === 0);
}

/**
 * Checks what a caller wants to dial or bind.
 *
 * @throws {QuicError} `usage` for anything but a numeric address and a port, and for a link-local IPv6
 * address that lacks the interface it is on.
 */
export function checkHostPort({ host, port }: HostPort, use: "dial" | "bind"): void {
  const address = parseIpAddress(host);
  if (!address) throw new QuicError("usage", `Cannot ${use} "${host}": not a numeric address`);
  if (!Number.isInteger(port) || port < (use === "dial" ? 1 : 0) || port > 65535) {
    throw new QuicError("usage", `Cannot ${use} ${host}: no such port: ${port}`);
  }
  if (address.family === 6 && isLinkLocal(address) && address.zone === undefined) {
    throw new QuicError(
      "usage",
      `Cannot ${use} "${host}": a link-local address needs its interface`,
      `write it with the interface behind a percent sign, such as ${host}%eth0`,
    );
  }
}

/** The address without its zone, as the native core takes it. */
export function withoutZone({ host, port }: HostPort): HostPort {
  const percent = host.indexOf("%");
  return percent < 0 ? { host, port } : { host: host.slice(0, percent), port };
}
