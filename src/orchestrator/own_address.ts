import { toHex } from "../base/bytes.ts";
import { parseIpAddress } from "../base/ip_address.ts";

/** True if a peer at that address is a process of this machine. */
export function isOwnAddress(
  host: string,
  own: readonly string[] = Deno.networkInterfaces().map(({ address }) => address),
): boolean {
  const bytes = bytesOf(host);
  return bytes !== undefined && own.some((address) => bytesOf(address) === bytes);
}

/** An IPv4 address in IPv6 form is the same one. */
function bytesOf(address: string): string | undefined {
  const parsed = parseIpAddress(address.split("%")[0]!);
  if (parsed === undefined) return undefined;
  const hex = toHex(parsed.bytes);
  return hex.startsWith(MAPPED) ? hex.slice(MAPPED.length) : hex;
}

const MAPPED = "0".repeat(20) + "ffff";
