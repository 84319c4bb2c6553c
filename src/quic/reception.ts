import type { Logger } from "../base/log.ts";
import { messageOf } from "../base/errors.ts";
import { CLOSE_CODE } from "../base/wire_codes.ts";
import type { HostPort } from "./address.ts";
import type { QuicBinding } from "./binding.ts";
import { QuicConnection } from "./connection.ts";
import type { ConnectionCore } from "./connection_core.ts";
import { DEFAULT_LISTEN_LIMITS, Doorkeeper, type ListenLimits, type Place } from "./doorkeeper.ts";
import type { EndpointCounters, ListenOptions } from "./endpoint_options.ts";
import {
  CONNECTION_ID_BYTES,
  encodeVersionNegotiation,
  FIRST_DESTINATION_ID_BYTES_MIN,
  INITIAL_DATAGRAM_BYTES_MIN,
  type LongHeader,
  QUIC_VERSION,
} from "./packet.ts";
import { RetryTokens } from "./retry_tokens.ts";
import type { UdpAddress, UdpSocket } from "./udp.ts";

/** What a reception works with: the endpoint's own. */
export interface ReceptionOptions {
  readonly binding: QuicBinding;
  readonly socket: UdpSocket;
  readonly counters: EndpointCounters;
  readonly logger: Logger;
}

/** A client that gets a connection. */
export interface Admitted extends Pick<ListenOptions, "verify"> {
  /** What is offered to it. */
  readonly alpns: readonly string[];
  /** The ids of a client that proved its address. */
  readonly afterRetry:
    | { readonly originalId: Uint8Array; readonly id: Uint8Array }
    | undefined;
}

/**
 * Where clients arrive: decides which stranger's first datagram begins a connection here, and which
 * verified peer keeps one. Connections themselves are the endpoint's.
 */
export class Reception {
  readonly #binding: QuicBinding;
  readonly #socket: UdpSocket;
  readonly #counters: EndpointCounters;
  readonly #logger: Logger;
  readonly #doorkeeper = new Doorkeeper();
  readonly #tokens = new RetryTokens(randomBytes(32));
  /** Of those whose handshake is under way. */
  readonly #places = new Map<ConnectionCore, Place>();
  readonly #peerKeys = new Map<ConnectionCore, string>();
  #listener: ActiveListener | undefined;

  constructor({ binding, socket, counters, logger }: ReceptionOptions) {
    this.#binding = binding;
    this.#socket = socket;
    this.#counters = counters;
    this.#logger = logger;
  }

  /** Lets clients in from now on. */
  open(options: ListenOptions): void {
    if (this.#listener) throw new TypeError("the endpoint is already listening");
    this.#listener = { ...options, limits: { ...DEFAULT_LISTEN_LIMITS, ...options.limits } };
  }

  /** Lets nobody in any more. */
  close(): void {
    this.#listener = undefined;
  }

  /**
   * Looks at a datagram for no known connection, perhaps a client's first one. Answers it by itself, or
   * hands it to another thread, where no connection is to be made here.
   */
  admit(
    datagram: Uint8Array,
    { header, from, nowMs }: {
      readonly header: LongHeader;
      readonly from: UdpAddress;
      readonly nowMs: number;
    },
  ): Admitted | undefined {
    const listener = this.#listener;
    if (!listener || datagram.length < INITIAL_DATAGRAM_BYTES_MIN) return undefined;
    if (header.version !== QUIC_VERSION) {
      // Version 0 is itself a version negotiation packet: answering it could go on for ever.
      if (header.version !== 0) {
        this.#socket.sendOne(from, encodeVersionNegotiation(header, randomBytes(1)[0]! & 0x7f));
      }
      return undefined;
    }
    if (!header.isInitial || header.destinationId.length < FIRST_DESTINATION_ID_BYTES_MIN) {
      return undefined;
    }
    const alpns = listener.alpns();
    if (alpns.length === 0) return undefined;
    let originalId: Uint8Array | undefined;
    if (header.token.length > 0) {
      const claim = { client: from, retrySourceId: header.destinationId };
      originalId = this.#tokens.open(header.token, claim, nowMs);
      // A client obeys one Retry only (RFC 9000 section 17.2.5.2): another would not help it.
      if (!originalId) return void this.#counters.badTokens++;
    }
    if (this.#branchOff(listener, { datagram, sourceId: header.sourceId, from })) return undefined;
    const isProven = originalId !== undefined;
    switch (this.#doorkeeper.admit(from, isProven, listener.limits, nowMs)) {
      case "ignore":
        return void this.#counters.shedClients++;
      case "retry":
        return this.#sendRetry(header, from, nowMs);
      case "accept": {
        const afterRetry = originalId && { originalId, id: header.destinationId.slice() };
        return { alpns, verify: listener.verify, afterRetry };
      }
    }
  }

  /** An admitted client has its connection. */
  enter(core: ConnectionCore): void {
    this.#places.set(core, this.#doorkeeper.enter(core.remote));
  }

  /** A client has passed verification: hands it to whom listens, or turns it away. */
  welcome(core: ConnectionCore, nowMs: number): void {
    const listener = this.#listener;
    this.#endHandshake(core);
    if (!listener) return void core.close(CLOSE_CODE.normal);
    try {
      if (!this.#makeRoomForPeer(core, listener, nowMs)) {
        this.#counters.surplusConnections++;
        return void core.close(CLOSE_CODE.normal);
      }
      listener.onConnection(new QuicConnection(core, core.peer!));
    } catch (error) {
      this.#logger.log("error", "connection handler failed", { error: messageOf(error) });
      void core.close(CLOSE_CODE.normal);
    }
  }

  /** The connection of an admitted client is gone. */
  leave(core: ConnectionCore): void {
    this.#peerKeys.delete(core);
    this.#endHandshake(core);
    this.#doorkeeper.leave();
  }

  /** False for a client that is served here. */
  #branchOff(
    { branchFor }: ActiveListener,
    { datagram, sourceId, from }: { datagram: Uint8Array; sourceId: Uint8Array; from: UdpAddress },
  ): boolean {
    const remote: HostPort = { host: from.host, port: from.port };
    const take = branchFor?.(sourceId, remote);
    const socket = take && this.#socket.branch(from);
    if (take === undefined || socket === undefined) return false;
    take({ socket, datagram: datagram.slice(), remote });
    return true;
  }

  /** Asks a client to come back with a token: nothing is kept of it until then. */
  #sendRetry(header: LongHeader, from: UdpAddress, nowMs: number): undefined {
    const retrySourceId = randomBytes(CONNECTION_ID_BYTES);
    const originalId = header.destinationId;
    const token = this.#tokens.issue(originalId, { client: from, retrySourceId }, nowMs);
    const packet = new Uint8Array(RETRY_BYTES_MAX);
    const byteLength = this.#binding.retry(
      header.sourceId.slice(),
      originalId.slice(),
      retrySourceId,
      token,
      QUIC_VERSION,
      packet,
    );
    this.#counters.retries++;
    this.#socket.sendOne(from, packet.subarray(0, byteLength));
  }

  #endHandshake(core: ConnectionCore): void {
    const place = this.#places.get(core);
    if (!place) return;
    this.#places.delete(core);
    this.#doorkeeper.endHandshake(place);
  }

  /** False if the peer has as many connections as it may, and all of them are alive. */
  #makeRoomForPeer(
    core: ConnectionCore,
    { peerKey, limits, makeRoom }: ActiveListener,
    nowMs: number,
  ): boolean {
    if (!peerKey) return true;
    const key = peerKey(core.peer!);
    const others = new Set<string>();
    const own: ConnectionCore[] = [];
    for (const [other, otherKey] of this.#peerKeys) {
      if (other.lost) continue;
      if (otherKey === key) own.push(other);
      else others.add(otherKey);
    }
    if (own.length === 0 && others.size >= limits.peersMax) return false;
    if (own.length >= limits.connectionsPerPeerMax) {
      // A device that was switched off and is back has connections that only look alive.
      const silent = own.reduce((a, b) => a.heardAtMs <= b.heardAtMs ? a : b);
      if (nowMs - silent.heardAtMs < SILENT_MS) {
        if (!makeRoom?.(key)) return false;
      } else {
        this.#counters.surplusConnections++;
        void silent.close(CLOSE_CODE.normal);
      }
    }
    this.#peerKeys.set(core, key);
    return true;
  }
}

/** How clients are let in, with the limits filled in. */
type ActiveListener = ListenOptions & { readonly limits: ListenLimits };

/** Room for a Retry packet: two ids of up to 20 bytes, a token with a third, and its check. */
const RETRY_BYTES_MAX = 256;
/** Silence after which a peer's connection may make room for its next one: longer than any pause of one at work. */
const SILENT_MS = 5000;

function randomBytes(byteLength: number): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(byteLength));
}
