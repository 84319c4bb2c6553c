import { type Logger, silentLogger } from "../base/log.ts";
import { messageOf } from "../base/errors.ts";
import type { HostPort } from "./address.ts";
import { QuicError } from "./errors.ts";
import type { UdpKind, UdpSocket } from "./udp.ts";
import { DgramUdpSocket } from "./udp_dgram.ts";
import { LinuxUdpSocket } from "./udp_linux.ts";

/**
 * Binds a UDP socket. `auto` takes the fast one on Linux and falls back to the portable one where the C
 * library cannot be called.
 *
 * @param listen Where; undefined for any port on all addresses.
 * @throws {QuicError} if the address cannot be bound.
 */
export async function openUdpSocket(
  listen: HostPort | undefined,
  kind: UdpKind = "auto",
  logger: Logger = silentLogger,
): Promise<UdpSocket> {
  if (kind === "linux") return LinuxUdpSocket.bind(listen);
  if (kind === "dgram" || Deno.build.os !== "linux") return await DgramUdpSocket.bind(listen);
  try {
    return LinuxUdpSocket.bind(listen);
  } catch (error) {
    // An address that is taken stays taken; a missing or forbidden C library does not matter.
    if (error instanceof QuicError) throw error;
    logger.log("info", "using portable UDP", { reason: messageOf(error) });
    return await DgramUdpSocket.bind(listen);
  }
}
