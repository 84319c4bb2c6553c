import { parseIpAddress } from "../base/ip_address.ts";
import type { HostPort } from "./address.ts";
import { bindError } from "./bind_error.ts";
import { writeLocalInto } from "./control_messages.ts";
import * as c from "./linux_libc.ts";
import {
  AF_INET,
  AF_INET6,
  readSockaddr,
  SOCKADDR_BYTES_MAX,
  writeSockaddr,
  type ZoneTable,
} from "./sockaddr.ts";
import { SOCKET_BUFFER_BYTES } from "./udp.ts";

/**
 * The file descriptor of a UDP socket, and all that is asked of the system about it but to move
 * datagrams: how it is bound, its options, its sisters, what its paths carry.
 */
export class LinuxDescriptor {
  readonly fd: number;
  readonly family: 4 | 6;
  readonly zones: ZoneTable;
  /** Where it is bound, with the port the system picked. */
  readonly local: HostPort;
  /** Whether the kernel cuts trains of datagrams (UDP_SEGMENT, since 4.18). */
  readonly canSegment: boolean;
  readonly #libc: c.Libc;

  /** Opens one. @throws {QuicError} if the address cannot be bound. */
  static bind(libc: c.Libc, listen: HostPort): LinuxDescriptor {
    const family = parseIpAddress(listen.host)!.family;
    const fd = openDescriptor(libc, family);
    if (fd < 0) throw bindError(listen, nameOf(c.errnoOf(libc)));
    // So that the wildcard also takes IPv4, whatever the system's default is.
    if (family === 6) setOption(libc, fd, [c.IPPROTO_IPV6, c.IPV6_V6ONLY], 0);
    const name = newSockaddr();
    const length = writeSockaddr(name, family, listen, zoneTable(libc));
    if (length === undefined || libc.bind(fd, name, length) !== 0) {
      const errno = length === undefined ? c.EADDRNOTAVAIL : c.errnoOf(libc);
      libc.close(fd);
      throw bindError(listen, nameOf(errno));
    }
    const descriptor = new LinuxDescriptor(libc, fd, family);
    if (isWildcard(listen.host)) descriptor.#askForLocalAddress();
    return descriptor;
  }

  /** Takes over one that {@linkcode branch} opened. */
  static adopt(libc: c.Libc, fd: number): LinuxDescriptor {
    return new LinuxDescriptor(libc, fd, familyOf(libc, fd));
  }

  private constructor(libc: c.Libc, fd: number, family: 4 | 6) {
    this.#libc = libc;
    this.fd = fd;
    this.family = family;
    this.zones = zoneTable(libc);
    for (
      const [forced, plain] of [[c.SO_RCVBUFFORCE, c.SO_RCVBUF], [c.SO_SNDBUFFORCE, c.SO_SNDBUF]]
    ) {
      if (!this.#set([c.SOL_SOCKET, forced!], SOCKET_BUFFER_BYTES)) {
        this.#set([c.SOL_SOCKET, plain!], SOCKET_BUFFER_BYTES);
      }
    }
    this.#set([c.IPPROTO_IP, c.IP_MTU_DISCOVER], c.PMTUDISC_DO);
    if (family === 6) this.#set([c.IPPROTO_IPV6, c.IPV6_MTU_DISCOVER], c.PMTUDISC_DO);
    this.#set([c.SOL_UDP, c.UDP_GRO], 1);
    // Size 0 changes nothing and tells whether the kernel knows the option.
    this.canSegment = this.#set([c.SOL_UDP, c.UDP_SEGMENT], 0);
    this.local = this.#boundAddress();
  }

  /**
   * Opens another one for what one remote address sends, at the same local address and port.
   *
   * @param localMessage What tells from which local address to answer, if that is known.
   */
  branch(remote: Uint8Array, localMessage: Uint8Array | undefined): number | undefined {
    const local = newSockaddr();
    const length = writeSockaddr(local, this.family, this.local, this.zones);
    if (length === undefined) return undefined;
    if (localMessage !== undefined) writeLocalInto(local, localMessage);
    else if (isWildcard(this.local.host)) return undefined;
    // Only for this moment, and among processes of one user: else two servers could share a port. Branches
    // keep it, since they share theirs.
    this.#set([c.SOL_SOCKET, c.SO_REUSEPORT], 1);
    const fd = this.#connected(local.subarray(0, length), remote);
    this.#set([c.SOL_SOCKET, c.SO_REUSEPORT], 0);
    return fd;
  }

  /** The UDP payload that the kernel believes the path carries; undefined if it does not say. */
  pathPayloadBytes(remote: HostPort): number | undefined {
    const libc = this.#libc;
    const name = newSockaddr();
    const family = parseIpAddress(remote.host)?.family === 4 ? 4 : 6;
    const length = writeSockaddr(name, family, remote, this.zones);
    if (length === undefined) return undefined;
    const fd = libc.socket(family === 4 ? AF_INET : AF_INET6, c.SOCK_DGRAM | c.SOCK_CLOEXEC, 0);
    if (fd < 0) return undefined;
    try {
      if (libc.connect(fd, name, length) !== 0) return undefined;
      const mtu = family === 4
        ? getOption(libc, fd, [c.IPPROTO_IP, c.IP_MTU])
        : getOption(libc, fd, [c.IPPROTO_IPV6, c.IPV6_MTU]);
      return mtu === undefined ? undefined : mtu - (family === 4 ? 28 : 48);
    } finally {
      libc.close(fd);
    }
  }

  /** Bound, then connected: the kernel gives what comes from there to this socket before any other. */
  #connected(local: Uint8Array<ArrayBuffer>, remote: Uint8Array): number | undefined {
    const libc = this.#libc;
    const fd = openDescriptor(libc, this.family);
    if (fd < 0) return undefined;
    if (this.family === 6) setOption(libc, fd, [c.IPPROTO_IPV6, c.IPV6_V6ONLY], 0);
    const to = newSockaddr();
    to.set(remote);
    const isOpen = setOption(libc, fd, [c.SOL_SOCKET, c.SO_REUSEPORT], 1) &&
      libc.bind(fd, local, local.length) === 0 &&
      libc.connect(fd, to, remote.length) === 0;
    if (isOpen) return fd;
    libc.close(fd);
    return undefined;
  }

  /** So that a machine with several addresses answers from the one its client knows. */
  #askForLocalAddress(): void {
    // On an IPv6 socket this tells of IPv4 too, as `::ffff:a.b.c.d`.
    if (this.family === 6) this.#set([c.IPPROTO_IPV6, c.IPV6_RECVPKTINFO], 1);
    else this.#set([c.IPPROTO_IP, c.IP_PKTINFO], 1);
  }

  #boundAddress(): HostPort {
    const name = newSockaddr();
    this.#libc.getsockname(this.fd, name, bytesOf(newInt(SOCKADDR_BYTES_MAX)));
    return readSockaddr(name, this.zones);
  }

  #set(option: Option, value: number): boolean {
    return setOption(this.#libc, this.fd, option, value);
  }
}

/** What `setsockopt` and `getsockopt` name an option by. */
type Option = readonly [level: number, name: number];

function openDescriptor(libc: c.Libc, family: 4 | 6): number {
  const kind = c.SOCK_DGRAM | c.SOCK_NONBLOCK | c.SOCK_CLOEXEC;
  return libc.socket(family === 4 ? AF_INET : AF_INET6, kind, 0);
}

function setOption(libc: c.Libc, fd: number, [level, name]: Option, value: number): boolean {
  return libc.setsockopt(fd, level, name, bytesOf(newInt(value)), 4) === 0;
}

function getOption(libc: c.Libc, fd: number, [level, name]: Option): number | undefined {
  const value = newInt(0);
  const failed = libc.getsockopt(fd, level, name, bytesOf(value), bytesOf(newInt(4))) !== 0;
  return failed ? undefined : value[0];
}

// A short typed array made without a buffer lives on the heap and moves: nothing for the kernel to write to.

function newSockaddr(): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new ArrayBuffer(SOCKADDR_BYTES_MAX));
}

function newInt(value: number): Int32Array<ArrayBuffer> {
  const int = new Int32Array(new ArrayBuffer(4));
  int[0] = value;
  return int;
}

function bytesOf(int: Int32Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return new Uint8Array(int.buffer);
}

/** The address family of an open socket. */
function familyOf(libc: c.Libc, fd: number): 4 | 6 {
  const name = newSockaddr();
  if (libc.getsockname(fd, name, bytesOf(newInt(SOCKADDR_BYTES_MAX))) !== 0) {
    throw new TypeError(`${fd} is no socket`);
  }
  return new DataView(name.buffer).getUint16(0, true) === AF_INET ? 4 : 6;
}

function isWildcard(host: string): boolean {
  return parseIpAddress(host)!.bytes.every((byte) => byte === 0);
}

function zoneTable(libc: c.Libc): ZoneTable {
  return {
    indexOf: (name) => libc.if_nametoindex(new TextEncoder().encode(name + "\0")),
    nameOf: (index) => {
      const name = new Uint8Array(new ArrayBuffer(32));
      if (libc.if_indextoname(index, name) === null) return undefined;
      return new TextDecoder().decode(name.subarray(0, name.indexOf(0)));
    },
  };
}

/** What the C library calls its errors; others go by their number. */
const ERRNO_NAMES: ReadonlyMap<number, string> = new Map([
  [c.EADDRINUSE, "EADDRINUSE"],
  [c.EADDRNOTAVAIL, "EADDRNOTAVAIL"],
  [c.EAFNOSUPPORT, "EAFNOSUPPORT"],
  [c.EACCES, "EACCES"],
]);

function nameOf(errno: number): string {
  return ERRNO_NAMES.get(errno) ?? `system error ${errno}`;
}
