import { IdentityError } from "./identity_error.ts";

/** Characters of a stored address: a host name has at most 253, an IPv6 address with a zone fewer. */
const ADDRESS_CHARS_MAX = 300;
const ADDRESS = /^(?:\[([0-9A-Fa-f:.]+(?:%[\w.:-]{1,32})?)\]|([\w.-]+)):(\d{1,5})$/;

/** Where a peer may be reached over UDP. */
export interface PeerAddress {
  /** IP address (IPv6 without brackets, with its zone if it has one) or host name. */
  readonly host: string;
  /** 1 to 65535. */
  readonly port: number;
}

/** `host:port`, with brackets around IPv6. */
export function formatPeerAddress({ host, port }: PeerAddress): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * Reads `HOST:PORT`; IPv6 addresses stand in brackets.
 *
 * @throws {IdentityError} `address_invalid`.
 */
export function parsePeerAddress(text: string): PeerAddress {
  const match = text.length > ADDRESS_CHARS_MAX ? null : ADDRESS.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || !(port >= 1 && port <= 65535)) {
    throw new IdentityError(
      "address_invalid",
      `Cannot read the address ${JSON.stringify(text.slice(0, ADDRESS_CHARS_MAX))}`,
      { hint: "write it as HOST:PORT, such as 192.168.1.4:9876 or [fe80::1%eth0]:9876" },
    );
  }
  return { host, port };
}
