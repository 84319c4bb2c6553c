import { createSocket } from "node:dgram";
import { messageOf } from "../base/errors.ts";
import type { LinkSpec } from "./link_spec.ts";
import { MDNS_PORT } from "./packet_guard.ts";

/** An open socket on one link, joined to the multicast DNS group there. */
export interface MulticastLink {
  /** Sends to the group on this link; resolves also where the network is down. */
  send(bytes: Uint8Array): Promise<void>;
  /** Safe to call twice. */
  close(): Promise<void>;
}

/** What a link calls. */
export interface LinkEvents {
  onPacket(bytes: Uint8Array, source: { address: string; port: number }): void;
  /** Something failed that the link survives, such as a send while the cable is out. */
  onProblem(message: string): void;
}

/** Opens links; tests give one that joins them in memory. */
export type LinkOpener = (spec: LinkSpec, events: LinkEvents) => Promise<MulticastLink>;

/** The multicast DNS groups (RFC 6762 section 3). */
const GROUP = { 4: "224.0.0.251", 6: "ff02::fb" } as const;
/** Every address of the family: a socket bound to one address hears no multicast on Linux. */
const ANY = { 4: "0.0.0.0", 6: "::" } as const;
/** Others check by this that the packet crossed no router (RFC 6762 section 11). */
const MULTICAST_HOPS = 255;

/**
 * Opens a UDP socket on port 5353 beside whoever else listens there.
 *
 * @throws where the port is held exclusively, or the interface knows no multicast.
 */
export const openMulticastLink: LinkOpener = async (spec, events) => {
  const type = spec.family === 4 ? "udp4" as const : "udp6" as const;
  const socket = createSocket({ type, reuseAddr: true, ipv6Only: spec.family === 6 });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once("error", reject);
      socket.bind(MDNS_PORT, ANY[spec.family], () => {
        socket.off("error", reject);
        resolve();
      });
    });
    socket.addMembership(GROUP[spec.family], spec.multicastInterface);
    socket.setMulticastInterface(spec.multicastInterface);
    socket.setMulticastTTL(MULTICAST_HOPS);
    // Two processes of one machine find each other.
    socket.setMulticastLoopback(true);
  } catch (error) {
    socket.on("error", () => {}); // a failed bind may report twice
    socket.close();
    throw error;
  }
  let closed = false;
  socket.on("error", (error) => events.onProblem(messageOf(error)));
  socket.on("message", (bytes, { address, port }) => {
    if (!closed) events.onPacket(bytes, { address, port });
  });
  return {
    send: (bytes) =>
      new Promise((resolve) => {
        if (closed) return resolve();
        socket.send(bytes, MDNS_PORT, GROUP[spec.family], (error) => {
          if (error) events.onProblem(messageOf(error));
          resolve();
        });
      }),
    close: () =>
      new Promise((resolve) => {
        if (closed) return resolve();
        closed = true;
        socket.close(() => resolve());
      }),
  };
};
