import { checkHostPort, formatHostPort, type HostPort } from "./address.ts";
import {
  LOCAL_MESSAGE_BYTES_MAX,
  readControl,
  type ReceivedControl,
  SEGMENT_MESSAGE_BYTES,
  writeSegmentMessage,
} from "./control_messages.ts";
import { QuicError } from "./errors.ts";
import { type LinuxAddress, LinuxAddresses } from "./linux_addresses.ts";
import { LinuxDescriptor } from "./linux_descriptor.ts";
import * as c from "./linux_libc.ts";
import { SOCKADDR_BYTES_MAX } from "./sockaddr.ts";
import {
  type DatagramSink,
  SEND_QUEUE_BYTES_MAX,
  UDP_PAYLOAD_BYTES_MAX,
  type UdpAddress,
  type UdpCounters,
  type UdpSocket,
} from "./udp.ts";

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
  wakeCount: 416, // an eventfd counter, 8 bytes
  bytes: 424,
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
  readonly #descriptor: LinuxDescriptor;
  readonly #fd: number;
  readonly #wakeFd: number;
  readonly #pollSet: Deno.PointerObject;
  readonly #pollView: Deno.UnsafePointerView;

  // The kernel gets raw pointers into these, so they must be real buffers: a short typed array made
  // without one lives on the heap and moves.
  readonly #arena = new ArrayBuffer(ARENA.bytes);
  readonly #arenaView = new DataView(this.#arena);
  readonly #sendHeader = new Uint8Array(this.#arena, ARENA.sendHeader, 56);
  readonly #receiveHeader = new Uint8Array(this.#arena, ARENA.receiveHeader, 56);
  readonly #sendName = new Uint8Array(this.#arena, ARENA.sendName, SOCKADDR_BYTES_MAX);
  readonly #sendLocal = new Uint8Array(this.#arena, ARENA.localMessage, LOCAL_MESSAGE_BYTES_MAX);
  readonly #receivedControl: ReceivedControl = { segmentBytes: 0, localAt: 0 };
  readonly #receiveBuffer = new Uint8Array(new ArrayBuffer(RECEIVE_BYTES));
  readonly #one = new Uint8Array(new ArrayBuffer(UDP_PAYLOAD_BYTES_MAX));
  readonly #slabPointer: bigint;
  readonly #onePointer: bigint;

  readonly #addresses: LinuxAddresses;
  #sendNameOwner: LinuxAddress | undefined;
  #sendVectorIsSlab = true;
  #isControlAtLocal = false;
  readonly #segmentMessagePointer: bigint;
  readonly #localMessagePointer: bigint;

  readonly #segmentViews = new Map<number, Uint8Array[]>();
  #segmentsMax: number;
  #queue: QueuedSend[] = [];
  #queuedBytes = 0;
  #polling: Promise<unknown> | undefined;
  #isClosed = false;

  /** Binds a socket. Without an address: any port, on IPv6 and IPv4, or IPv4 alone where there is no IPv6. */
  static bind(listen?: HostPort): LinuxUdpSocket {
    const libc = c.loadLibc();
    const bound = (listen: HostPort) =>
      new LinuxUdpSocket(libc, LinuxDescriptor.bind(libc, listen));
    if (listen) {
      checkHostPort(listen, "bind");
      return bound(listen);
    }
    try {
      return bound({ host: "::", port: 0 });
    } catch (error) {
      if (!(error instanceof QuicError)) throw error;
      return bound({ host: "0.0.0.0", port: 0 });
    }
  }

  /** Takes over a socket that {@linkcode branch} opened. */
  static adopt(fd: number): LinuxUdpSocket {
    const libc = c.loadLibc();
    return new LinuxUdpSocket(libc, LinuxDescriptor.adopt(libc, fd));
  }

  private constructor(libc: c.Libc, descriptor: LinuxDescriptor) {
    this.#libc = libc;
    this.#descriptor = descriptor;
    const fd = this.#fd = descriptor.fd;
    this.local = descriptor.local;
    this.#segmentsMax = descriptor.canSegment ? SEGMENTS_MAX : 1;
    this.#addresses = new LinuxAddresses(descriptor, this.#arena, ARENA.receiveName);
    this.#slabPointer = addressOfBuffer(this.slab);
    this.#onePointer = addressOfBuffer(this.#one);
    const arenaPointer = addressOfBuffer(new Uint8Array(this.#arena));
    this.#segmentMessagePointer = arenaPointer + BigInt(ARENA.segmentMessage);
    this.#localMessagePointer = arenaPointer + BigInt(ARENA.localMessage);
    this.#layOutHeaders();
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
    const address = this.#addresses.of(remote);
    if (address) return address;
    throw new QuicError("usage", `Cannot dial ${formatHostPort(remote)} from this socket`);
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
        const from = this.#addresses.senderOfLast(control.localAt);
        this.#deliver(sink, byteLength, control.segmentBytes, from);
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
    return this.#descriptor.branch(sockaddr, localMessage);
  }

  pathPayloadBytes(remote: HostPort): number | undefined {
    return this.#descriptor.pathPayloadBytes(remote);
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

  #drainWake(): void {
    this.#libc.eventfd_read(this.#wakeFd, new Uint8Array(this.#arena, ARENA.wakeCount, 8));
  }
}

function addressOfBuffer(bytes: Uint8Array<ArrayBuffer>): bigint {
  return Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes));
}
