import type { HostPort } from "../../src/quic/address.ts";
import type { DatagramSink, UdpAddress, UdpCounters, UdpSocket } from "../../src/quic/udp.ts";

/** A socket that goes nowhere: the test puts datagrams in and looks at what comes out. */
export class FakeSocket implements UdpSocket {
  readonly local = { host: "192.0.2.100", port: 4433 };
  readonly slab = new Uint8Array(65_507);
  readonly segmentsMax = 4;
  readonly counters: UdpCounters = {
    receivedDatagrams: 0,
    receiveCalls: 0,
    sentDatagrams: 0,
    sendCalls: 0,
    droppedDatagrams: 0,
    oversizedDatagrams: 0,
  };
  isBlocked = false;
  readonly sent: { readonly to: UdpAddress; readonly datagrams: Uint8Array[] }[] = [];
  #incoming: { readonly datagram: Uint8Array; readonly from: UdpAddress }[] = [];
  #wake: (() => void) | undefined;
  #isClosed = false;

  /** Delivers a datagram. */
  put(datagram: Uint8Array, from: HostPort): void {
    this.#incoming.push({ datagram, from: this.addressOf(from) });
    this.wakeUp();
  }

  /** Ends a `wait()`. */
  wakeUp(): void {
    this.#wake?.();
    this.#wake = undefined;
  }

  addressOf({ host, port }: HostPort): UdpAddress {
    return { host, port, key: `${host} ${port}` };
  }

  send(to: UdpAddress, byteLength: number, segmentBytes: number): void {
    const datagrams: Uint8Array[] = [];
    for (let at = 0; at < byteLength; at += segmentBytes) {
      datagrams.push(this.slab.slice(at, Math.min(byteLength, at + segmentBytes)));
    }
    this.sent.push({ to, datagrams });
  }

  sendOne(to: UdpAddress, datagram: Uint8Array): void {
    this.sent.push({ to, datagrams: [datagram.slice()] });
  }

  receive(sink: DatagramSink): boolean {
    for (const { datagram, from } of this.#incoming.splice(0)) sink.handleDatagram(datagram, from);
    return false;
  }

  wait(): Promise<void> {
    if (this.#isClosed || this.#incoming.length > 0) return Promise.resolve();
    return new Promise((resolve) => this.#wake = resolve);
  }

  branch(): undefined {}

  pathPayloadBytes(): number | undefined {
    return 1472;
  }

  close(): Promise<void> {
    this.#isClosed = true;
    this.wakeUp();
    return Promise.resolve();
  }
}
