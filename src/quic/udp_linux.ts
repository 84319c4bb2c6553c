import { parseIpAddress } from "../base/ip_address.ts";
import { checkHostPort, formatHostPort, type HostPort } from "./address.ts";
import { bindError } from "./bind_error.ts";
import {
  encodeLocalMessage,
  LOCAL_MESSAGE_BYTES_MAX,
  readControl,
  type ReceivedControl,
  SEGMENT_MESSAGE_BYTES,
  writeLocalInto,
  writeSegmentMessage,
} from "./control_messages.ts";
import { QuicError } from "./errors.ts";
import * as c from "./linux_libc.ts";
import {
  AF_INET,
  AF_INET6,
  readSockaddr,
  SOCKADDR_BYTES_MAX,
  writeSockaddr,
  type ZoneTable,
} from "./sockaddr.ts";
import {
  type DatagramSink,
  SEND_QUEUE_BYTES_MAX,
  SOCKET_BUFFER_BYTES,
  UDP_PAYLOAD_BYTES_MAX,
  type UdpAddress,
  type UdpCounters,
  type UdpSocket,
} from "./udp.ts";

/** An address in the form that `sendmsg` takes. */
interface LinuxAddress extends UdpAddress {
  readonly sockaddr: Uint8Array;
  /** The control message that sends from the address it wrote to; undefined: as the route has it. */
  readonly localMessage: Uint8Array | undefined;
}

/** Datagrams that the system did not take yet. */
interface QueuedSend {
  readonly to: LinuxAddress;
  readonly bytes: Uint8Array;
  readonly segmentBytes: number;
}

/** `UDP_MAX_SEGMENTS` of the oldest kernels that have UDP_SEGMENT. */
const SEGMENTS_MAX = 64;
/** The largest datagram, or the largest train of them that the kernel coalesces (UDP_GRO). */
const RECEIVE_BYTES = 65_536;
/** Known remote addresses; past that the table starts afresh. */
const ADDRESSES_MAX = 4096;
/** How long one `poll` lasts at most, so that an abandoned thread does not outlive its worker for long. */
const POLL_MS = 1000;
/** Sizes of segments for which views are kept. */
const VIEW_SIZES_MAX = 8;

/** Where the structures handed to the kernel lie in the arena; sizes are those of 64-bit Linux. */
const ARENA = {
  sendHeader: 0, // struct msghdr, 56 bytes
  receiveHeader: 64,
  sendVector: 128, // struct iovec, 16 bytes
  receiveVector: 144,
  segmentMessage: 160, // control messages: the size of segments,
  localMessage: 184, // and right behind it the address to send from
  receiveControl: 224, // room for several
  sendName: 352, // struct sockaddr_in6, 28 bytes
  receiveName: 384,
  option: 416, // an int and a socklen_t
  scratch: 432, // an interface name, an eventfd counter
  bytes: 480,
} as const;
const RECEIVE_CONTROL_BYTES = 128;

/**
 * UDP on Linux by direct calls into the C library: trains of datagrams in one system call both ways
 * (UDP_SEGMENT, UDP_GRO), large system queues, "don't fragment" set, and the kernel's path MTU. Bound to
 * all addresses, it answers from the one that was written to, whatever the routes say.
 */
export class LinuxUdpSocket implements UdpSocket {
  readonly local: HostPort;
  readonly slab = new Uint8Array(new ArrayBuffer(UDP_PAYLOAD_BYTES_MAX));
  readonly counters: UdpCounters = {
    receivedDatagrams: 0,
    receiveCalls: 0,
    sentDatagrams: 0,
    sendCalls: 0,
    droppedDatagrams: 0,
    oversizedDatagrams: 0,
  };

  readonly #libc: c.Libc;
  readonly #fd: number;
  readonly #wakeFd: number;
  readonly #family: 4 | 6;
  readonly #zones: ZoneTable;
  readonly #pollSet: Deno.PointerObject;
  readonly #pollView: Deno.UnsafePointerView;

  // The kernel gets raw pointers into these, so they must be real buffers: a short typed array made
  // without one lives on the heap and moves.
  readonly #arena = new ArrayBuffer(ARENA.bytes);
  readonly #arenaView = new DataView(this.#arena);
  readonly #sendHeader = new Uint8Array(this.#arena, ARENA.sendHeader, 56);
  readonly #receiveHeader = new Uint8Array(this.#arena, ARENA.receiveHeader, 56);
  readonly #sendName = new Uint8Array(this.#arena, ARENA.sendName, SOCKADDR_BYTES_MAX);
  readonly #receiveName = new Uint8Array(this.#arena, ARENA.receiveName, SOCKADDR_BYTES_MAX);
  readonly #arenaWords = new Int32Array(this.#arena);
  readonly #sendLocal = new Uint8Array(this.#arena, ARENA.localMessage, LOCAL_MESSAGE_BYTES_MAX);
  readonly #receivedControl: ReceivedControl = { segmentBytes: 0, localAt: 0 };
  readonly #receiveBuffer = new Uint8Array(new ArrayBuffer(RECEIVE_BYTES));
  readonly #one = new Uint8Array(new ArrayBuffer(UDP_PAYLOAD_BYTES_MAX));
  readonly #slabPointer: bigint;
  readonly #onePointer: bigint;

  readonly #addresses = new Map<string, LinuxAddress>();
  #lastSender: LinuxAddress | undefined;
  readonly #lastSenderWords = new Int32Array(7);
  readonly #lastLocalWords = new Int32Array(4);
  #sendNameOwner: LinuxAddress | undefined;
  #sendVectorIsSlab = true;
  #isControlAtLocal = false;
  readonly #segmentMessagePointer: bigint;
  readonly #localMessagePointer: bigint;

  readonly #segmentViews = new Map<number, Uint8Array[]>();
  #segmentsMax: number = SEGMENTS_MAX;
  #queue: QueuedSend[] = [];
  #queuedBytes = 0;
  #polling: Promise<unknown> | undefined;
  #isClosed = false;

  /** Binds a socket. Without an address: any port, on IPv6 and IPv4, or IPv4 alone where there is no IPv6. */
  static bind(listen?: HostPort): LinuxUdpSocket {
    if (listen) {
      checkHostPort(listen, "bind");
      return new LinuxUdpSocket(c.loadLibc(), listen);
    }
    try {
      return new LinuxUdpSocket(c.loadLibc(), { host: "::", port: 0 });
    } catch (error) {
      if (!(error instanceof QuicError)) throw error;
      return new LinuxUdpSocket(c.loadLibc(), { host: "0.0.0.0", port: 0 });
    }
  }

  /** Takes over a socket that {@linkcode branch} opened. */
  static adopt(fd: number): LinuxUdpSocket {
    return new LinuxUdpSocket(c.loadLibc(), { fd });
  }

  private constructor(libc: c.Libc, from: HostPort | { readonly fd: number }) {
    this.#libc = libc;
    this.#family = "fd" in from ? familyOf(libc, from.fd) : parseIpAddress(from.host)!.family;
    this.#zones = zoneTable(libc);
    this.#slabPointer = addressOfBuffer(this.slab);
    this.#onePointer = addressOfBuffer(this.#one);
    const arenaPointer = addressOfBuffer(new Uint8Array(this.#arena));
    this.#segmentMessagePointer = arenaPointer + BigInt(ARENA.segmentMessage);
    this.#localMessagePointer = arenaPointer + BigInt(ARENA.localMessage);
    const fd = this.#fd = "fd" in from ? from.fd : this.#open(from);
    this.#setOptions(fd);
    if ("host" in from && isWildcard(from.host)) this.#askForLocalAddress(fd);
    this.#layOutHeaders();
    this.local = this.#boundAddress(fd);
    this.#wakeFd = libc.eventfd(0, c.EFD_NONBLOCK | c.EFD_CLOEXEC);
    // In C's memory: a poll in flight may outlive the isolate.
    const pollSet = libc.calloc(2n, 8n);
    if (this.#wakeFd < 0 || pollSet === null) {
      libc.close(fd);
      throw new QuicError("failed", "Cannot open a socket: out of file descriptors or memory");
    }
    this.#pollSet = pollSet;
    this.#pollView = new Deno.UnsafePointerView(pollSet);
  }

  get segmentsMax(): number {
    return this.#segmentsMax;
  }

  get isBlocked(): boolean {
    return this.#queue.length > 0;
  }

  addressOf(remote: HostPort): UdpAddress {
    checkHostPort(remote, "dial");
    const sockaddr = new Uint8Array(SOCKADDR_BYTES_MAX);
    const length = writeSockaddr(sockaddr, this.#family, remote, this.#zones);
    if (length === undefined) {
      throw new QuicError("usage", `Cannot dial ${formatHostPort(remote)} from this socket`);
    }
    return this.#intern(sockaddr.subarray(0, length), 0);
  }

  send(to: UdpAddress, byteLength: number, segmentBytes: number): void {
    const address = to as LinuxAddress;
    if (this.#queue.length > 0) return this.#enqueue(address, this.slab, byteLength, segmentBytes);
    this.#pointSendAt(true);
    const errno = this.#sendmsg(address, byteLength, segmentBytes);
    if (errno !== 0) this.#handleSendError(errno, address, this.slab, byteLength, segmentBytes);
  }

  sendOne(to: UdpAddress, datagram: Uint8Array): void {
    const address = to as LinuxAddress;
    const length = datagram.length;
    if (length > this.#one.length) return void this.counters.droppedDatagrams++;
    if (this.#queue.length > 0) return this.#enqueue(address, datagram, length, length);
    this.#one.set(datagram);
    this.#pointSendAt(false);
    const errno = this.#sendmsg(address, length, length);
    if (errno !== 0) this.#handleSendError(errno, address, this.#one, length, length);
  }

  receive(sink: DatagramSink, callsMax: number): boolean {
    if (this.#isClosed) return false;
    const view = this.#arenaView;
    for (let call = 0; call < callsMax; call++) {
      view.setUint32(ARENA.receiveHeader + 8, SOCKADDR_BYTES_MAX, true);
      view.setUint32(ARENA.receiveHeader + 40, RECEIVE_CONTROL_BYTES, true);
      const byteLength = this.#libc.recvmsg(this.#fd, this.#receiveHeader, 0);
      // Any failure ends the batch: nothing there, or an ICMP error that says nothing about the rest.
      if (byteLength < 0) return false;
      this.counters.receiveCalls++;
      const control = this.#receivedControl;
      const controlEnd = ARENA.receiveControl + view.getUint32(ARENA.receiveHeader + 40, true);
      readControl(view, ARENA.receiveControl, controlEnd, control);
      if (byteLength > 0) {
        this.#deliver(sink, byteLength, control.segmentBytes, this.#senderOfLast(control.localAt));
      }
      // A sink may close the socket.
      if (this.#isClosed) return false;
    }
    return true;
  }

  async wait(): Promise<void> {
    const pollView = this.#pollView;
    while (!this.#isClosed) {
      const dataView = new DataView(pollView.getArrayBuffer(16));
      dataView.setInt32(0, this.#fd, true);
      dataView.setInt16(4, c.POLLIN | (this.isBlocked ? c.POLLOUT : 0), true);
      dataView.setInt32(8, this.#wakeFd, true);
      dataView.setInt16(12, c.POLLIN, true);
      const polling = this.#libc.poll(this.#pollSet, 2n, POLL_MS);
      this.#polling = polling;
      await polling;
      this.#polling = undefined;
      if (this.#isClosed) return;
      if (pollView.getInt16(14) !== 0) this.#drainWake();
      const events = pollView.getInt16(6);
      if (events & c.POLLOUT && this.#flushQueue()) return;
      if (events & ~c.POLLOUT) return;
    }
  }

  branch(to: UdpAddress): number | undefined {
    const { sockaddr, localMessage } = to as LinuxAddress;
    const local = new Uint8Array(new ArrayBuffer(SOCKADDR_BYTES_MAX));
    const length = writeSockaddr(local, this.#family, this.local, this.#zones);
    if (length === undefined) return undefined;
    if (localMessage !== undefined) writeLocalInto(local, localMessage);
    else if (isWildcard(this.local.host)) return undefined;
    // Only for this moment, and among processes of one user: else two servers could share a port. Branches
    // keep it, since they share theirs.
    this.#setOption(this.#fd, c.SOL_SOCKET, c.SO_REUSEPORT, 1);
    const fd = this.#connected(local.subarray(0, length), sockaddr);
    this.#setOption(this.#fd, c.SOL_SOCKET, c.SO_REUSEPORT, 0);
    return fd;
  }

  /** Bound, then connected: the kernel gives what comes from there to this socket before any other. */
  #connected(local: Uint8Array<ArrayBuffer>, remote: Uint8Array): number | undefined {
    const libc = this.#libc;
    const family = this.#family === 4 ? AF_INET : AF_INET6;
    const fd = libc.socket(family, c.SOCK_DGRAM | c.SOCK_NONBLOCK | c.SOCK_CLOEXEC, 0);
    if (fd < 0) return undefined;
    if (this.#family === 6) this.#setOption(fd, c.IPPROTO_IPV6, c.IPV6_V6ONLY, 0);
    const to = new Uint8Array(new ArrayBuffer(SOCKADDR_BYTES_MAX));
    to.set(remote);
    const isOpen = this.#setOption(fd, c.SOL_SOCKET, c.SO_REUSEPORT, 1) &&
      libc.bind(fd, local, local.length) === 0 &&
      libc.connect(fd, to, remote.length) === 0;
    if (isOpen) return fd;
    libc.close(fd);
    return undefined;
  }

  pathPayloadBytes(remote: HostPort): number | undefined {
    const libc = this.#libc;
    const sockaddr = new Uint8Array(new ArrayBuffer(SOCKADDR_BYTES_MAX));
    const isIpv4 = parseIpAddress(remote.host)?.family === 4;
    const length = writeSockaddr(sockaddr, isIpv4 ? 4 : 6, remote, this.#zones);
    if (length === undefined) return undefined;
    const fd = libc.socket(isIpv4 ? AF_INET : AF_INET6, c.SOCK_DGRAM | c.SOCK_CLOEXEC, 0);
    if (fd < 0) return undefined;
    try {
      if (libc.connect(fd, sockaddr, length) !== 0) return undefined;
      const mtu = isIpv4
        ? this.#getOption(fd, c.IPPROTO_IP, c.IP_MTU)
        : this.#getOption(fd, c.IPPROTO_IPV6, c.IPV6_MTU);
      return mtu === undefined ? undefined : mtu - (isIpv4 ? 28 : 48);
    } finally {
      libc.close(fd);
    }
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#flushQueue();
    this.#isClosed = true;
    this.#queue = [];
    // Closing a descriptor that another thread polls is undefined: wake it first.
    if (this.#polling) {
      this.#libc.eventfd_write(this.#wakeFd, 1n);
      await this.#polling;
    }
    this.#libc.close(this.#fd);
    this.#libc.close(this.#wakeFd);
    this.#libc.free(this.#pollSet);
  }

  #open(listen: HostPort): number {
    const libc = this.#libc;
    const fd = libc.socket(
      this.#family === 4 ? AF_INET : AF_INET6,
      c.SOCK_DGRAM | c.SOCK_NONBLOCK | c.SOCK_CLOEXEC,
      0,
    );
    if (fd < 0) throw bindError(listen, nameOf(c.errnoOf(libc)));
    // So that the wildcard also takes IPv4, whatever the system's default is.
    if (this.#family === 6) this.#setOption(fd, c.IPPROTO_IPV6, c.IPV6_V6ONLY, 0);
    const length = writeSockaddr(this.#sendName, this.#family, listen, this.#zones);
    if (length === undefined || libc.bind(fd, this.#sendName, length) !== 0) {
      const errno = length === undefined ? c.EADDRNOTAVAIL : c.errnoOf(libc);
      libc.close(fd);
      throw bindError(listen, nameOf(errno));
    }
    return fd;
  }

  #setOptions(fd: number): void {
    for (
      const [forced, plain] of [[c.SO_RCVBUFFORCE, c.SO_RCVBUF], [c.SO_SNDBUFFORCE, c.SO_SNDBUF]]
    ) {
      if (!this.#setOption(fd, c.SOL_SOCKET, forced!, SOCKET_BUFFER_BYTES)) {
        this.#setOption(fd, c.SOL_SOCKET, plain!, SOCKET_BUFFER_BYTES);
      }
    }
    this.#setOption(fd, c.IPPROTO_IP, c.IP_MTU_DISCOVER, c.PMTUDISC_DO);
    if (this.#family === 6) {
      this.#setOption(fd, c.IPPROTO_IPV6, c.IPV6_MTU_DISCOVER, c.PMTUDISC_DO);
    }
    this.#setOption(fd, c.SOL_UDP, c.UDP_GRO, 1);
    // Size 0 changes nothing and tells whether the kernel knows the option (4.18 and later).
    if (!this.#setOption(fd, c.SOL_UDP, c.UDP_SEGMENT, 0)) this.#segmentsMax = 1;
  }

  /** So that a machine with several addresses answers from the one its client knows. */
  #askForLocalAddress(fd: number): void {
    // On an IPv6 socket this tells of IPv4 too, as `::ffff:a.b.c.d`.
    if (this.#family === 6) this.#setOption(fd, c.IPPROTO_IPV6, c.IPV6_RECVPKTINFO, 1);
    else this.#setOption(fd, c.IPPROTO_IP, c.IP_PKTINFO, 1);
  }

  #layOutHeaders(): void {
    const view = this.#arenaView;
    const base = addressOfBuffer(new Uint8Array(this.#arena));
    const at = (offset: number) => base + BigInt(offset);
    const header = (offset: number, name: number, vector: number, control: number) => {
      view.setBigUint64(offset, at(name), true);
      view.setBigUint64(offset + 16, at(vector), true);
      view.setBigUint64(offset + 24, 1n, true);
      view.setBigUint64(offset + 32, at(control), true);
    };
    header(ARENA.sendHeader, ARENA.sendName, ARENA.sendVector, ARENA.segmentMessage);
    header(ARENA.receiveHeader, ARENA.receiveName, ARENA.receiveVector, ARENA.receiveControl);
    view.setBigUint64(ARENA.sendVector, this.#slabPointer, true);
    view.setBigUint64(ARENA.receiveVector, addressOfBuffer(this.#receiveBuffer), true);
    view.setBigUint64(ARENA.receiveVector + 8, BigInt(RECEIVE_BYTES), true);
    writeSegmentMessage(view, ARENA.segmentMessage, 0);
  }

  /** One `sendmsg`; returns 0 or an error number. */
  #sendmsg(to: LinuxAddress, byteLength: number, segmentBytes: number): number {
    const view = this.#arenaView;
    if (to !== this.#sendNameOwner) {
      this.#sendName.set(to.sockaddr);
      view.setUint32(ARENA.sendHeader + 8, to.sockaddr.length, true);
      if (to.localMessage) this.#sendLocal.set(to.localMessage);
      this.#sendNameOwner = to;
    }
    view.setUint32(ARENA.sendVector + 8, byteLength, true);
    const isTrain = byteLength > segmentBytes;
    if (isTrain) view.setUint16(ARENA.segmentMessage + 16, segmentBytes, true);
    const localBytes = to.localMessage?.length ?? 0;
    this.#pointControlAt(!isTrain && localBytes > 0);
    const controlBytes = (isTrain ? SEGMENT_MESSAGE_BYTES : 0) + localBytes;
    view.setUint32(ARENA.sendHeader + 40, controlBytes, true);
    this.counters.sendCalls++;
    if (this.#libc.sendmsg(this.#fd, this.#sendHeader, 0) < 0) {
      return c.errnoOf(this.#libc) || c.EIO;
    }
    this.counters.sentDatagrams += isTrain ? Math.ceil(byteLength / segmentBytes) : 1;
    return 0;
  }

  #handleSendError(
    errno: number,
    to: LinuxAddress,
    bytes: Uint8Array,
    byteLength: number,
    segmentBytes: number,
  ): void {
    const count = Math.ceil(byteLength / segmentBytes);
    switch (errno) {
      case c.EAGAIN:
      case c.ENOBUFS:
      case c.EINTR:
        return this.#enqueue(to, bytes, byteLength, segmentBytes);
      case c.EIO:
      case c.EINVAL:
        if (count > 1) return this.#sendSingly(to, bytes.subarray(0, byteLength), segmentBytes);
        break;
      case c.EMSGSIZE:
        this.counters.oversizedDatagrams += count;
        break;
    }
    this.counters.droppedDatagrams += count;
  }

  /** Sends what was refused as a train. */
  #sendSingly(to: LinuxAddress, bytes: Uint8Array, segmentBytes: number): void {
    const copy = bytes.slice();
    const sentBefore = this.counters.sentDatagrams;
    for (let offset = 0; offset < copy.length; offset += segmentBytes) {
      this.sendOne(to, copy.subarray(offset, offset + segmentBytes));
    }
    // What works singly fails for the train's sake: this route or device cannot cut trains. Otherwise
    // the datagrams are at fault, such as ones larger than the path's MTU.
    if (this.counters.sentDatagrams > sentBefore) this.#segmentsMax = 1;
  }

  #enqueue(to: LinuxAddress, bytes: Uint8Array, byteLength: number, segmentBytes: number): void {
    if (this.#queuedBytes + byteLength > SEND_QUEUE_BYTES_MAX) {
      this.counters.droppedDatagrams += Math.ceil(byteLength / segmentBytes);
      return;
    }
    this.#queuedBytes += byteLength;
    this.#queue.push({ to, bytes: bytes.slice(0, byteLength), segmentBytes });
    // A poll under way waits for input only.
    if (this.#queue.length === 1 && this.#polling) {
      this.#libc.eventfd_write(this.#wakeFd, 1n);
    }
  }

  /** Sends what is queued until the system refuses again; true if nothing is left. */
  #flushQueue(): boolean {
    const queue = this.#queue;
    let sent = 0;
    while (sent < queue.length) {
      const { to, bytes, segmentBytes } = queue[sent]!;
      this.#one.set(bytes);
      this.#pointSendAt(false);
      const errno = this.#sendmsg(to, bytes.length, segmentBytes);
      if (errno === c.EAGAIN || errno === c.ENOBUFS || errno === c.EINTR) break;
      sent++;
      this.#queuedBytes -= bytes.length;
      if (errno !== 0) {
        this.counters.droppedDatagrams += Math.ceil(bytes.length / segmentBytes);
        if (errno === c.EMSGSIZE) this.counters.oversizedDatagrams++;
      }
    }
    queue.splice(0, sent);
    return queue.length === 0;
  }

  #pointSendAt(slab: boolean): void {
    if (slab === this.#sendVectorIsSlab) return;
    const pointer = slab ? this.#slabPointer : this.#onePointer;
    this.#arenaView.setBigUint64(ARENA.sendVector, pointer, true);
    this.#sendVectorIsSlab = slab;
  }

  #pointControlAt(localMessage: boolean): void {
    if (localMessage === this.#isControlAtLocal) return;
    const pointer = localMessage ? this.#localMessagePointer : this.#segmentMessagePointer;
    this.#arenaView.setBigUint64(ARENA.sendHeader + 32, pointer, true);
    this.#isControlAtLocal = localMessage;
  }

  #deliver(
    sink: DatagramSink,
    byteLength: number,
    segmentBytes: number,
    from: LinuxAddress,
  ): void {
    if (segmentBytes === 0 || segmentBytes >= byteLength) {
      this.counters.receivedDatagrams++;
      sink.handleDatagram(this.#receiveBuffer.subarray(0, byteLength), from);
      return;
    }
    const views = this.#viewsOf(segmentBytes);
    const whole = Math.floor(byteLength / segmentBytes);
    for (let i = 0; i < whole; i++) sink.handleDatagram(views[i]!, from);
    const rest = byteLength - whole * segmentBytes;
    if (rest > 0) {
      sink.handleDatagram(this.#receiveBuffer.subarray(byteLength - rest, byteLength), from);
    }
    this.counters.receivedDatagrams += whole + (rest > 0 ? 1 : 0);
  }

  /** Ready-made views of the receive buffer: a view per datagram would be garbage per datagram. */
  #viewsOf(segmentBytes: number): Uint8Array[] {
    let views = this.#segmentViews.get(segmentBytes);
    if (!views) {
      views = [];
      for (let at = 0; at + segmentBytes <= RECEIVE_BYTES; at += segmentBytes) {
        views.push(this.#receiveBuffer.subarray(at, at + segmentBytes));
      }
      if (this.#segmentViews.size >= VIEW_SIZES_MAX) this.#segmentViews.clear();
      this.#segmentViews.set(segmentBytes, views);
    }
    return views;
  }

  /**
   * The sender of the last datagram; the same object as long as the sender is the same.
   *
   * @param localAt Where in the arena the address lies that it wrote to; 0 if that is not known.
   */
  #senderOfLast(localAt: number): LinuxAddress {
    if (this.#lastSender && this.#isLastSender(localAt)) return this.#lastSender;
    const length = this.#family === 4 ? 16 : 28;
    const name = this.#receiveName.slice(0, length);
    name.fill(0, this.#family === 4 ? 8 : 4, 8);
    const words = this.#arenaWords;
    for (let i = 0; i < 7; i++) this.#lastSenderWords[i] = words[ARENA.receiveName / 4 + i]!;
    for (let i = 0; i < 4; i++) this.#lastLocalWords[i] = localAt ? words[localAt / 4 + i]! : 0;
    this.#lastSender = this.#intern(name, localAt);
    return this.#lastSender;
  }

  #isLastSender(localAt: number): boolean {
    const words = this.#arenaWords;
    const isIpv4 = this.#family === 4;
    for (let i = 0; i < (isIpv4 ? 2 : 7); i++) {
      if (words[ARENA.receiveName / 4 + i] !== this.#lastSenderWords[i]) return false;
    }
    if (localAt === 0) return true;
    for (let i = 0; i < (isIpv4 ? 1 : 4); i++) {
      if (words[localAt / 4 + i] !== this.#lastLocalWords[i]) return false;
    }
    return true;
  }

  #intern(sockaddr: Uint8Array, localAt: number): LinuxAddress {
    // Flow label and padding are no part of the address.
    const { host, port } = readSockaddr(sockaddr, this.#zones);
    const key = `${host} ${port}`;
    const local = localAt === 0
      ? undefined
      : new Uint8Array(this.#arena, localAt, this.#family === 4 ? 4 : 16);
    const cacheKey = local ? `${key} ${local.join(".")}` : key;
    let address = this.#addresses.get(cacheKey);
    if (!address) {
      if (this.#addresses.size >= ADDRESSES_MAX) this.#addresses.clear();
      const localMessage = local && encodeLocalMessage(local, interfaceOf(sockaddr));
      address = { host, port, key, sockaddr: sockaddr.slice(), localMessage };
      this.#addresses.set(cacheKey, address);
    }
    return address;
  }

  #drainWake(): void {
    this.#libc.eventfd_read(this.#wakeFd, new Uint8Array(this.#arena, ARENA.scratch, 8));
  }

  #boundAddress(fd: number): HostPort {
    const length = new Uint8Array(this.#arena, ARENA.option, 4);
    this.#arenaView.setUint32(ARENA.option, SOCKADDR_BYTES_MAX, true);
    this.#libc.getsockname(fd, this.#receiveName, length);
    return readSockaddr(this.#receiveName, this.#zones);
  }

  #setOption(fd: number, level: number, name: number, value: number): boolean {
    this.#arenaView.setInt32(ARENA.option, value, true);
    const option = new Uint8Array(this.#arena, ARENA.option, 4);
    return this.#libc.setsockopt(fd, level, name, option, 4) === 0;
  }

  #getOption(fd: number, level: number, name: number): number | undefined {
    this.#arenaView.setUint32(ARENA.option + 4, 4, true);
    const option = new Uint8Array(this.#arena, ARENA.option, 4);
    const length = new Uint8Array(this.#arena, ARENA.option + 4, 4);
    if (this.#libc.getsockopt(fd, level, name, option, length) !== 0) return undefined;
    return this.#arenaView.getInt32(ARENA.option, true);
  }
}

function addressOfBuffer(bytes: Uint8Array<ArrayBuffer>): bigint {
  return Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes));
}

/** The address family of an open socket. */
function familyOf(libc: c.Libc, fd: number): 4 | 6 {
  const name = new Uint8Array(new ArrayBuffer(SOCKADDR_BYTES_MAX));
  const length = new Uint8Array(new ArrayBuffer(4));
  new DataView(length.buffer).setUint32(0, SOCKADDR_BYTES_MAX, true);
  if (libc.getsockname(fd, name, length) !== 0) throw new TypeError(`${fd} is no socket`);
  return new DataView(name.buffer).getUint16(0, true) === AF_INET ? 4 : 6;
}

function isWildcard(host: string): boolean {
  return parseIpAddress(host)!.bytes.every((byte) => byte === 0);
}

/** The interface that a link-local sender is on; 0 for all others, to let the route decide. */
function interfaceOf(sockaddr: Uint8Array): number {
  if (sockaddr.length < 28) return 0;
  return new DataView(sockaddr.buffer, sockaddr.byteOffset).getUint32(24, true);
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
