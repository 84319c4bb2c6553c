import type { HostPort } from "./address.ts";
import { encodeLocalMessage } from "./control_messages.ts";
import { readSockaddr, SOCKADDR_BYTES_MAX, writeSockaddr, type ZoneTable } from "./sockaddr.ts";
import type { UdpAddress } from "./udp.ts";

/** An address in the form that `sendmsg` takes. */
export interface LinuxAddress extends UdpAddress {
  readonly sockaddr: Uint8Array;
  /** The control message that sends from the address it wrote to; undefined: as the route has it. */
  readonly localMessage: Uint8Array | undefined;
}

/** Known remote addresses; past that the table starts afresh. */
const ADDRESSES_MAX = 4096;

/**
 * The remote addresses of one socket, each as one object. Most datagrams come from where the one before
 * came from, which is seen by comparing words, without garbage.
 */
export class LinuxAddresses {
  readonly #family: 4 | 6;
  readonly #zones: ZoneTable;
  readonly #arena: ArrayBuffer;
  readonly #nameAt: number;
  readonly #words: Int32Array;
  readonly #known = new Map<string, LinuxAddress>();
  #lastSender: LinuxAddress | undefined;
  readonly #lastSenderWords = new Int32Array(7);
  readonly #lastLocalWords = new Int32Array(4);

  /**
   * @param arena Into which the kernel writes senders and local addresses, at multiples of 4.
   * @param nameAt Where in it the sender of a datagram comes to lie.
   */
  constructor(
    socket: { readonly family: 4 | 6; readonly zones: ZoneTable },
    arena: ArrayBuffer,
    nameAt: number,
  ) {
    this.#family = socket.family;
    this.#zones = socket.zones;
    this.#arena = arena;
    this.#nameAt = nameAt;
    this.#words = new Int32Array(arena);
  }

  /** Undefined if the socket has no way there. */
  of(remote: HostPort): LinuxAddress | undefined {
    const sockaddr = new Uint8Array(SOCKADDR_BYTES_MAX);
    const length = writeSockaddr(sockaddr, this.#family, remote, this.#zones);
    return length === undefined ? undefined : this.#intern(sockaddr.subarray(0, length), 0);
  }

  /**
   * The sender of the last datagram; the same object as long as the sender is the same.
   *
   * @param localAt Where in the arena the address lies that it wrote to; 0 if that is not known.
   */
  senderOfLast(localAt: number): LinuxAddress {
    if (this.#lastSender && this.#isLastSender(localAt)) return this.#lastSender;
    const isIpv4 = this.#family === 4;
    const name = new Uint8Array(this.#arena, this.#nameAt, isIpv4 ? 16 : 28).slice();
    // Flow label and padding are no part of the address.
    name.fill(0, isIpv4 ? 8 : 4, 8);
    const words = this.#words;
    for (let i = 0; i < 7; i++) this.#lastSenderWords[i] = words[this.#nameAt / 4 + i]!;
    for (let i = 0; i < 4; i++) this.#lastLocalWords[i] = localAt ? words[localAt / 4 + i]! : 0;
    this.#lastSender = this.#intern(name, localAt);
    return this.#lastSender;
  }

  #isLastSender(localAt: number): boolean {
    const words = this.#words;
    const isIpv4 = this.#family === 4;
    for (let i = 0; i < (isIpv4 ? 2 : 7); i++) {
      if (words[this.#nameAt / 4 + i] !== this.#lastSenderWords[i]) return false;
    }
    if (localAt === 0) return true;
    for (let i = 0; i < (isIpv4 ? 1 : 4); i++) {
      if (words[localAt / 4 + i] !== this.#lastLocalWords[i]) return false;
    }
    return true;
  }

  #intern(sockaddr: Uint8Array, localAt: number): LinuxAddress {
    const { host, port } = readSockaddr(sockaddr, this.#zones);
    const key = `${host} ${port}`;
    const local = localAt === 0
      ? undefined
      : new Uint8Array(this.#arena, localAt, this.#family === 4 ? 4 : 16);
    const cacheKey = local ? `${key} ${local.join(".")}` : key;
    let address = this.#known.get(cacheKey);
    if (!address) {
      if (this.#known.size >= ADDRESSES_MAX) this.#known.clear();
      const localMessage = local && encodeLocalMessage(local, interfaceOf(sockaddr));
      address = { host, port, key, sockaddr: sockaddr.slice(), localMessage };
      this.#known.set(cacheKey, address);
    }
    return address;
  }
}

/** The interface that a link-local sender is on; 0 for all others, to let the route decide. */
function interfaceOf(sockaddr: Uint8Array): number {
  if (sockaddr.length < 28) return 0;
  return new DataView(sockaddr.buffer, sockaddr.byteOffset).getUint32(24, true);
}
