import dgram from "node:dgram";
import { once } from "node:events";
import { CONNECTION_ID_BYTES } from "../../src/quic/packet.ts";
import { toHex } from "../../src/base/bytes.ts";

const LOOPBACK = "127.0.0.1";

type Side = "client" | "server";

/** The ids by which the two ends of a connection are addressed; the server's shows in its first answer. */
interface Route {
  readonly clientId: string;
  serverId: string | undefined;
  isSilenced: boolean;
}

/**
 * A host between one client and a server, on loopback. Tells QUIC connections apart by their ids
 * (RFC 9000 section 17), and can let single ones fall silent: no datagram of them gets through any more,
 * and nobody is told. Can lose single datagrams as well.
 */
export class UdpRelay implements AsyncDisposable {
  readonly #near = dgram.createSocket("udp4");
  readonly #far = dgram.createSocket("udp4");
  readonly #routes: Route[] = [];
  readonly #seen = { client: 0, server: 0 };
  #lost: { from: Side; nth: number } | undefined;
  #clientPort = 0;

  /** Listens for the client. */
  static async open(serverPort: number): Promise<UdpRelay> {
    const relay = new UdpRelay(serverPort);
    for (const socket of [relay.#near, relay.#far]) {
      socket.bind(0, LOOPBACK);
      await once(socket, "listening");
    }
    return relay;
  }

  private constructor(serverPort: number) {
    this.#near.on("message", (datagram, { port }) => {
      this.#clientPort = port;
      if (this.#mayPass(datagram, "client")) this.#far.send(datagram, serverPort, LOOPBACK);
    });
    this.#far.on("message", (datagram) => {
      if (this.#mayPass(datagram, "server")) this.#near.send(datagram, this.#clientPort, LOOPBACK);
    });
  }

  /** Where the client finds the server. */
  get port(): number {
    return this.#near.address().port;
  }

  /** Connections so far, in the order of their first datagrams. */
  get connections(): number {
    return this.#routes.length;
  }

  /** Lets a connection fall silent, by its position, or be heard again. */
  silence(nth: number, isSilenced = true): void {
    this.#routes[nth]!.isSilenced = isSilenced;
  }

  /** Loses one datagram, by its position among those from that side. */
  lose(from: Side, nth: number): void {
    this.#lost = { from, nth };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = [this.#near, this.#far].map((socket) => once(socket, "close"));
    this.#near.close();
    this.#far.close();
    await Promise.all(closed);
  }

  #mayPass(datagram: Uint8Array, from: Side): boolean {
    const nth = this.#seen[from]++;
    const isFromClient = from === "client";
    const route = (datagram[0]! & 0x80) !== 0
      ? this.#learn(datagram, isFromClient)
      : this.#find(toHex(datagram.subarray(1, 1 + CONNECTION_ID_BYTES)), isFromClient);
    if (this.#lost?.from === from && this.#lost.nth === nth) return false;
    return !route?.isSilenced;
  }

  #find(destination: string, isFromClient: boolean): Route | undefined {
    return this.#routes.find(({ clientId, serverId }) =>
      destination === (isFromClient ? serverId : clientId)
    );
  }

  #learn(datagram: Uint8Array, isFromClient: boolean): Route {
    const idAt = (at: number) => toHex(datagram.subarray(at + 1, at + 1 + datagram[at]!));
    const destination = idAt(5);
    const source = idAt(6 + datagram[5]!);
    const clientId = isFromClient ? source : destination;
    let route = this.#routes.find((route) => route.clientId === clientId);
    if (route === undefined) {
      route = { clientId, serverId: undefined, isSilenced: false };
      this.#routes.push(route);
    }
    if (!isFromClient) route.serverId = source;
    return route;
  }
}
