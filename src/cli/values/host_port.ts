import { BadValue } from "./bad_value.ts";

/** The UDP port a device listens on unless told otherwise. */
export const PORT_DEFAULT = 9876;

/** Where something listens or may be reached. */
export interface HostPort {
  readonly kind: "ipv4" | "ipv6" | "name";
  /** An address in canonical form, without brackets or zone; or a host name as typed. */
  readonly host: string;
  /** The interface of a link-local IPv6 address (`eth0` in `fe80::1%eth0`). */
  readonly zone: string | undefined;
  /** 0 to 65535; 0 lets the system pick, only where something listens. */
  readonly port: number;
}

/** What a flag allows besides the full `HOST:PORT`. */
export interface HostPortOptions {
  /** Taken where no port is written; without it the port is required. */
  readonly portDefault?: number;
  /** Taken for `:PORT`; without it the host is required. */
  readonly hostDefault?: string;
  /** Port 0 is a choice, not a mistake. */
  readonly allowPortZero?: boolean;
}

/**
 * Makes a parser of `HOST:PORT`: `192.168.1.5:9876`, `nas.local:9876`, `[::]:9876`,
 * `[fe80::1%eth0]:9876`.
 *
 * @returns A parser that throws `BadValue` naming the part it does not understand.
 */
export function hostPort(options: HostPortOptions = {}): (text: string) => HostPort {
  return (text) => {
    const { hostText, portText, bracketed } = split(text);
    const host = hostText === "" ? options.hostDefault : hostText;
    if (host === undefined) throw new BadValue("the host is missing", EXAMPLES);
    const port = parsePort(portText, options);
    const isIpv6 = bracketed || (hostText === "" && host.includes(":"));
    return { ...(isIpv6 ? parseIpv6(host) : parseHost(host)), port };
  };
}

/** Writes `HOST:PORT` so that `hostPort()` reads the same value back; IPv6 in brackets. */
export function formatHostPort({ kind, host, zone, port }: HostPort): string {
  const full = zone === undefined ? host : `${host}%${zone}`;
  return kind === "ipv6" ? `[${full}]:${port}` : `${full}:${port}`;
}

function split(text: string): { hostText: string; portText?: string; bracketed: boolean } {
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/s.exec(text);
  if (bracketed !== null) {
    if (bracketed[1] === "") throw new BadValue("nothing between the brackets", EXAMPLES);
    return withPort(bracketed[1]!, bracketed[2], true);
  }
  if (text.includes("[") || text.includes("]")) {
    throw new BadValue("brackets belong around the address alone", EXAMPLES);
  }
  const colon = text.indexOf(":");
  if (colon !== text.lastIndexOf(":")) {
    throw new BadValue("an IPv6 address needs brackets", "write it as [ADDRESS]:PORT");
  }
  if (colon < 0) return withPort(text, undefined, false);
  return withPort(text.slice(0, colon), text.slice(colon + 1), false);
}

function withPort(hostText: string, portText: string | undefined, bracketed: boolean) {
  return portText === undefined ? { hostText, bracketed } : { hostText, portText, bracketed };
}

function parsePort(text: string | undefined, options: HostPortOptions): number {
  if (text === undefined) {
    if (options.portDefault === undefined) throw new BadValue("the port is missing", EXAMPLES);
    return options.portDefault;
  }
  const port = /^\d{1,5}$/.test(text) ? Number(text) : NaN;
  if (!(port <= 65_535)) throw new BadValue("the port is not a number from 0 to 65535", EXAMPLES);
  if (port === 0 && options.allowPortZero !== true) {
    throw new BadValue("port 0 is nowhere to connect to");
  }
  return port;
}

function parseIpv6(text: string): Pick<HostPort, "kind" | "host" | "zone"> {
  const percent = text.indexOf("%");
  const address = percent < 0 ? text : text.slice(0, percent);
  const zone = percent < 0 ? undefined : text.slice(percent + 1);
  // URL parsing is the platform's own IPv6 parser, and it yields the canonical form.
  const url = /^[0-9a-f:.]+$/i.test(address) ? URL.parse(`http://[${address}]/`) : null;
  if (url === null) throw new BadValue("no IPv6 address between the brackets", EXAMPLES);
  if (zone !== undefined && !/^[A-Za-z0-9_.:-]{1,64}$/.test(zone)) {
    throw new BadValue("the zone after % is not the name of an interface");
  }
  return { kind: "ipv6", host: url.hostname.slice(1, -1), zone };
}

function parseHost(text: string): Pick<HostPort, "kind" | "host" | "zone"> {
  // A name whose last label is a number is read as an address everywhere, so it must be one.
  if (/(^|\.)\d+\.?$/.test(text)) {
    if (!IPV4.test(text)) throw new BadValue("no IPv4 address and no host name", EXAMPLES);
    return { kind: "ipv4", host: text, zone: undefined };
  }
  if (text.length > 253 || !HOST_NAME.test(text)) {
    throw new BadValue("no host name and no address", EXAMPLES);
  }
  return { kind: "name", host: text, zone: undefined };
}

const OCTET = "(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";
const IPV4 = new RegExp(`^${OCTET}(?:\\.${OCTET}){3}$`);
const LABEL = "[\\p{L}\\p{N}_](?:[\\p{L}\\p{N}\\p{M}_-]{0,61}[\\p{L}\\p{N}\\p{M}_])?";
const HOST_NAME = new RegExp(`^${LABEL}(?:\\.${LABEL})*\\.?$`, "u");
const EXAMPLES = "write it as 192.168.1.5:9876, nas.local:9876 or [fe80::1%eth0]:9876";
