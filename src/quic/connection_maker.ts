import type { Logger } from "../base/log.ts";
import { type HostPort, withoutZone } from "./address.ts";
import type { NativeConfig, QuicBinding } from "./binding.ts";
import { ConnectionCore, type ConnectionHost } from "./connection_core.ts";
import { QuicError } from "./errors.ts";
import type { Role, VerifyPeer } from "./handshake.ts";
import { CONNECTION_ID_BYTES } from "./packet.ts";
import { Pacer } from "./pacer.ts";
import { classifyPath, PATH_RULES } from "./path_class.ts";
import type { PathMemory } from "./path_memory.ts";
import { datagramBytesFor, isIpv6Host } from "./path_size.ts";
import {
  DATAGRAM_BYTES_MAX,
  DATAGRAM_BYTES_MIN,
  makeConfig,
  type TlsIdentity,
  type TransportProfile,
} from "./profile.ts";
import type { UdpAddress, UdpSocket } from "./udp.ts";

/** What connections are made with: the endpoint's own. */
export interface ConnectionMakerOptions {
  readonly binding: QuicBinding;
  readonly identity: TlsIdentity;
  readonly profile: TransportProfile;
  readonly socket: UdpSocket;
  /** What is known of paths. */
  readonly paths: PathMemory;
  readonly host: ConnectionHost;
  readonly logger: Logger;
}

/** One connection to make. */
export interface NewConnection {
  readonly role: Role;
  readonly remote: UdpAddress;
  /** What this side offers. */
  readonly alpns: readonly string[];
  readonly verify: VerifyPeer;
  /** On the endpoint's clock. */
  readonly nowMs: number;
  /** For the handshake; the profile's if left out. */
  readonly timeoutMs?: number | undefined;
  /** UDP payload of outgoing datagrams; what the path carries if left out. */
  readonly datagramBytes?: number | undefined;
  /** The id this side goes by; random if left out. */
  readonly sourceId?: Uint8Array | undefined;
  /** The ids of a client that proved its address. */
  readonly afterRetry?:
    | { readonly originalId: Uint8Array; readonly id: Uint8Array }
    | undefined;
}

/** Makes connections of either role around native ones, each set up for its path. */
export class ConnectionMaker {
  readonly #options: ConnectionMakerOptions;
  /** By the protocols offered. */
  readonly #configs = new Map<string, NativeConfig>();

  constructor(options: ConnectionMakerOptions) {
    this.#options = options;
  }

  /** @throws {QuicError} `usage` for a datagram size that there is not. */
  make(asked: NewConnection): ConnectionCore {
    const { binding, profile, socket, paths, host, logger } = this.#options;
    const { role, remote, alpns, verify, nowMs, afterRetry } = asked;
    const datagramBytes = asked.datagramBytes ?? profile.datagramBytes ??
      datagramBytesFor(socket, remote);
    if (!(datagramBytes >= DATAGRAM_BYTES_MIN && datagramBytes <= DATAGRAM_BYTES_MAX)) {
      throw new QuicError("usage", `No such datagram size: ${datagramBytes}`);
    }
    const path = paths.get(remote.host);
    const rule = PATH_RULES[classifyPath(path)];
    const { congestionControl = rule.congestionControl, isPaced } = profile;
    const config = this.#configFor(alpns);
    // Copied by the connection that is made next.
    config.setMaxSendUdpPayloadSize(datagramBytes);
    config.setCcAlgorithmName(congestionControl);
    const id = afterRetry?.id ?? asked.sourceId ??
      crypto.getRandomValues(new Uint8Array(CONNECTION_ID_BYTES));
    const local = this.#localFor(remote);
    const nativeRemote = withoutZone(remote);
    const { Connection } = binding;
    const native = role === "client"
      ? Connection.connect(null, id, local, nativeRemote, config)
      : Connection.accept(id, afterRetry?.originalId ?? null, local, nativeRemote, config);
    const core = new ConnectionCore({
      native,
      host,
      role,
      remote,
      local,
      alpns,
      verify,
      datagramBytes,
      pacer: new Pacer(path, congestionControl, isPaced),
      nowMs,
      handshakeDeadlineMs: nowMs + (asked.timeoutMs ?? profile.handshakeTimeoutMs),
      logger,
    });
    core.ids.push(id);
    return core;
  }

  #configFor(alpns: readonly string[]): NativeConfig {
    const { binding, identity, profile } = this.#options;
    const key = alpns.join(" ");
    let config = this.#configs.get(key);
    if (!config) {
      config = makeConfig(binding, identity, profile, alpns);
      if (this.#configs.size >= CONFIGS_MAX) this.#configs.clear();
      this.#configs.set(key, config);
    }
    return config;
  }

  /** The local address as the native core sees it: any constant does, in the family of the remote one. */
  #localFor(remote: HostPort): HostPort {
    const { port } = this.#options.socket.local;
    return { host: isIpv6Host(remote.host) ? "::1" : "127.0.0.1", port };
  }
}

/** Sets of protocols for which settings are kept. */
const CONFIGS_MAX = 16;
