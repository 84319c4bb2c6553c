import type { HostPort } from "../../src/quic/address.ts";
import { openUdpSocket } from "../../src/quic/open_socket.ts";
import type { DatagramSink, UdpAddress, UdpCounters, UdpSocket } from "../../src/quic/udp.ts";

/** A socket on a path that swallows datagrams larger than `bytesMax`, or has the system refuse them. */
export class NarrowSocket implements UdpSocket {
  /** Datagrams that did not pass. */
  swallowed = 0;
  readonly #inner: UdpSocket;
  readonly #oversized = { count: 0 };

  private constructor(
    inner: UdpSocket,
    /** May change at any time. */
    public bytesMax: number,
    readonly how: "silently" | "refused",
  ) {
    this.#inner = inner;
  }

  static async open(bytesMax: number, how: "silently" | "refused"): Promise<NarrowSocket> {
    return new NarrowSocket(await openUdpSocket({ host: "127.0.0.1", port: 0 }), bytesMax, how);
  }

  get local(): HostPort {
    return this.#inner.local;
  }
  get slab(): Uint8Array {
    return this.#inner.slab;
  }
  get segmentsMax(): number {
    return this.#inner.segmentsMax;
  }
  get isBlocked(): boolean {
    return this.#inner.isBlocked;
  }
  get counters(): UdpCounters {
    return { ...this.#inner.counters, oversizedDatagrams: this.#oversized.count };
  }

  addressOf(remote: HostPort): UdpAddress {
    return this.#inner.addressOf(remote);
  }

  send(to: UdpAddress, byteLength: number, segmentBytes: number): void {
    for (let at = 0; at < byteLength; at += segmentBytes) {
      this.sendOne(to, this.slab.slice(at, Math.min(byteLength, at + segmentBytes)));
    }
  }

  sendOne(to: UdpAddress, datagram: Uint8Array): void {
    if (datagram.length <= this.bytesMax) return this.#inner.sendOne(to, datagram);
    this.swallowed++;
    if (this.how === "refused") this.#oversized.count++;
  }

  receive(sink: DatagramSink, callsMax: number): boolean {
    return this.#inner.receive(sink, callsMax);
  }
  wait(): Promise<void> {
    return this.#inner.wait();
  }
  branch(): undefined {}

  pathPayloadBytes(): number | undefined {
    return this.how === "refused" ? this.bytesMax : undefined;
  }
  close(): Promise<void> {
    return this.#inner.close();
  }
}
