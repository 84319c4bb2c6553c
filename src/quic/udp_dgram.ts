import type { Socket } from "node:dgram";
import { builtin } from "../base/builtin.ts";
import { isIpv4 } from "../base/ip_address.ts";
import { parseIpAddress } from "../base/ip_address.ts";
import { checkHostPort, formatHostPort, type HostPort } from "./address.ts";
import { bindError } from "./bind_error.ts";
import { QuicError } from "./errors.ts";
import {
  type DatagramSink,
  SEND_QUEUE_BYTES_MAX,
  SOCKET_BUFFER_BYTES,
  UDP_PAYLOAD_BYTES_MAX,
  type UdpAddress,
  type UdpCounters,
  type UdpSocket,
} from "./udp.ts";

/** An address in the form that `Socket.send` takes. */
interface DgramAddress extends UdpAddress {
  /** On an IPv6 socket, an IPv4 address as `::ffff:a.b.c.d`. */
  readonly sendHost: string;
}

interface Arrival {
  readonly datagram: Uint8Array;
  readonly from: DgramAddress;
}

/** Bytes received and not yet taken; what comes on top is dropped, as in a full system queue. */
const RECEIVE_QUEUE_BYTES_MAX = 8 << 20;
/** Datagrams handed over as one receive operation. */
const ARRIVALS_PER_CALL = 32;
/** How many sends may be under way before the owner is asked to pause. */
const SENDS_UNDER_WAY_MAX = 256;
/** Known remote addresses; past that the table starts afresh. */
const ADDRESSES_MAX = 4096;
/** How long `close()` waits for sends under way. */
const CLOSE_WAIT_MS = 500;
/** Datagrams one `send()` takes; each still costs a system call here. */
const SEGMENTS_MAX = 16;

/** UDP through `node:dgram`: works wherever the runtime does, one datagram at a time. */
export class DgramUdpSocket implements UdpSocket {
  readonly local: HostPort;
  readonly slab = new Uint8Array(UDP_PAYLOAD_BYTES_MAX);
  readonly segmentsMax = SEGMENTS_MAX;
  readonly counters: UdpCounters = {
    receivedDatagrams: 0,
    receiveCalls: 0,
    sentDatagrams: 0,
    sendCalls: 0,
    droppedDatagrams: 0,
    oversizedDatagrams: 0,
  };

  readonly #socket: Socket;
  readonly #family: 4 | 6;
  readonly #addresses = new Map<string, DgramAddress>();
  #arrivals: Arrival[] = [];
  #arrivedBytes = 0;
  // Until the first send is through, the runtime puts sends under way in reverse order.
  #isWarm = false;
  readonly #beforeWarm: { readonly to: DgramAddress; readonly datagram: Uint8Array }[] = [];
  #sendsUnderWay = 0;
  #bytesUnderWay = 0;
  #isBlocked = false;
  #isClosed = false;
  #wake: (() => void) | undefined;
  #idle: (() => void) | undefined;

  /** Binds a socket. Without an address: any port, on IPv6 and IPv4, or IPv4 alone where there is no IPv6. */
  static async bind(listen?: HostPort): Promise<DgramUdpSocket> {
    if (listen) {
      checkHostPort(listen, "bind");
      return await open(listen);
    }
    try {
      return await open({ host: "::", port: 0 });
    } catch {
      return await open({ host: "0.0.0.0", port: 0 });
    }
  }

  /** For `bind()`: takes over a bound socket. */
  constructor(socket: Socket, listen: HostPort) {
    this.#socket = socket;
    this.#family = parseIpAddress(listen.host)!.family;
    this.local = { host: listen.host, port: socket.address().port };
    socket.on("message", (message, { address, port }) => this.#arrive(message, address, port));
    // Errors of single datagrams; the socket itself goes on.
    socket.on("error", () => this.counters.droppedDatagrams++);
  }

  get isBlocked(): boolean {
    return this.#isBlocked;
  }

  addressOf(remote: HostPort): UdpAddress {
    checkHostPort(remote, "dial");
    if (this.#family === 4 && !isIpv4(remote.host)) {
      throw new QuicError("usage", `Cannot dial ${formatHostPort(remote)} from this socket`);
    }
    return this.#intern(remote.host, remote.port);
  }

  send(to: UdpAddress, byteLength: number, segmentBytes: number): void {
    for (let offset = 0; offset < byteLength; offset += segmentBytes) {
      this.sendOne(to, this.slab.subarray(offset, Math.min(byteLength, offset + segmentBytes)));
    }
  }

  sendOne(to: UdpAddress, datagram: Uint8Array): void {
    if (this.#isClosed || this.#bytesUnderWay > SEND_QUEUE_BYTES_MAX) {
      this.counters.droppedDatagrams++;
      return;
    }
    // The send happens later, the caller's buffer is free now.
    const copy = datagram.slice();
    this.#sendsUnderWay++;
    this.#bytesUnderWay += copy.length;
    this.#isBlocked ||= this.#sendsUnderWay >= SENDS_UNDER_WAY_MAX;
    const address = to as DgramAddress;
    if (this.#isWarm) this.#sendNow(address, copy);
    else if (this.#beforeWarm.push({ datagram: copy, to: address }) === 1) {
      this.#sendNow(address, copy);
    }
  }

  receive(sink: DatagramSink, callsMax: number): boolean {
    const arrivals = this.#arrivals;
    const count = Math.min(arrivals.length, callsMax * ARRIVALS_PER_CALL);
    let taken = 0;
    while (taken < count && !this.#isClosed) {
      const { datagram, from } = arrivals[taken++]!;
      this.#arrivedBytes -= datagram.length;
      sink.handleDatagram(datagram, from);
    }
    if (taken === arrivals.length) this.#arrivals = [];
    else if (taken > 0) this.#arrivals = arrivals.slice(taken);
    if (taken > 0) this.counters.receiveCalls++;
    this.counters.receivedDatagrams += taken;
    return this.#arrivals.length > 0 && !this.#isClosed;
  }

  wait(): Promise<void> {
    if (this.#isClosed || this.#arrivals.length > 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  branch(_to: UdpAddress): undefined {}

  pathPayloadBytes(_remote: HostPort): number | undefined {
    return undefined;
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#arrivals = [];
    this.#wakeUp();
    if (this.#sendsUnderWay > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, CLOSE_WAIT_MS);
        this.#idle = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    await new Promise<void>((resolve) => this.#socket.close(() => resolve()));
  }

  #arrive(message: Uint8Array, host: string, port: number): void {
    if (this.#isClosed || message.length === 0) return;
    if (this.#arrivedBytes + message.length > RECEIVE_QUEUE_BYTES_MAX) {
      this.counters.droppedDatagrams++;
      return;
    }
    this.#arrivedBytes += message.length;
    // A copy: the message is a small part of a large buffer.
    const datagram = new Uint8Array(message);
    this.#arrivals.push({ datagram, from: this.#intern(withoutMapping(host), port) });
    this.#wakeUp();
  }

  #sendNow(to: DgramAddress, datagram: Uint8Array): void {
    this.counters.sendCalls++;
    this.#socket.send(datagram, to.port, to.sendHost, (error) => {
      this.#finishSend(datagram.length, error);
    });
  }

  #finishSend(byteLength: number, error: Error | null): void {
    this.#sendsUnderWay--;
    this.#bytesUnderWay -= byteLength;
    if (error) {
      this.counters.droppedDatagrams++;
      if ((error as NodeJS.ErrnoException).code === "EMSGSIZE") this.counters.oversizedDatagrams++;
    } else {
      this.counters.sentDatagrams++;
    }
    if (!this.#isWarm) {
      this.#isWarm = true;
      for (const { to, datagram } of this.#beforeWarm.splice(0).slice(1)) {
        this.#sendNow(to, datagram);
      }
    }
    if (this.#isBlocked && this.#sendsUnderWay < SENDS_UNDER_WAY_MAX / 2) {
      this.#isBlocked = false;
      this.#wakeUp();
    }
    if (this.#sendsUnderWay === 0) this.#idle?.();
  }

  #wakeUp(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  #intern(host: string, port: number): DgramAddress {
    const key = `${host} ${port}`;
    let address = this.#addresses.get(key);
    if (!address) {
      if (this.#addresses.size >= ADDRESSES_MAX) this.#addresses.clear();
      const sendHost = this.#family === 6 && isIpv4(host) ? `::ffff:${host}` : host;
      address = { host, port, key, sendHost };
      this.#addresses.set(key, address);
    }
    return address;
  }
}

function open(listen: HostPort): Promise<DgramUdpSocket> {
  return new Promise((resolve, reject) => {
    const socket = builtin("node:dgram").createSocket({
      type: isIpv4(listen.host) ? "udp4" : "udp6",
      // Not the receive queue: the runtime would allocate as much anew for each datagram.
      sendBufferSize: SOCKET_BUFFER_BYTES,
    });
    const onError = (error: Error) => {
      socket.close();
      const code = "code" in error ? String(error.code) : error.message;
      reject(bindError(listen, code, error));
    };
    socket.once("error", onError);
    socket.bind({ address: listen.host, port: listen.port }, () => {
      socket.off("error", onError);
      resolve(new DgramUdpSocket(socket, listen));
    });
  });
}

function withoutMapping(host: string): string {
  return host.startsWith("::ffff:") && isIpv4(host.slice(7)) ? host.slice(7) : host;
}
