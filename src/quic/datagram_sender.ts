import type { NativeConnection } from "./binding.ts";
import type { GarbageMeter } from "./garbage.ts";
import type { Role } from "./handshake.ts";
import { dropInitial, hasLongHeader } from "./packet.ts";
import { DATAGRAM_BYTES_MIN } from "./profile.ts";
import type { UdpAddress, UdpSocket } from "./udp.ts";

/** A source of datagrams for one peer. */
export interface DatagramSource {
  readonly native: NativeConnection;
  readonly role: Role;
  readonly remote: UdpAddress;
  /** No datagram is larger than this. */
  readonly datagramBytes: number;
  /** Bytes were sent, some of them in datagrams that not every path carries. */
  noteSent(byteLength: number, largeBytes: number): void;
  /** The system refused datagrams as larger than the path carries. */
  noteOversized(): void;
  /** Sees each datagram before it is sent, if set; may not keep the view. */
  readonly onDatagram?: ((datagram: Uint8Array) => void) | undefined;
}

/**
 * Moves datagrams from the native core into the socket, as trains of equal size that cost one system
 * call each: they are written back to back into the socket's own buffer.
 */
export class DatagramSender {
  readonly #socket: UdpSocket;
  readonly #garbage: GarbageMeter;
  readonly #slots = new Map<number, Uint8Array[]>();

  constructor(socket: UdpSocket, garbage: GarbageMeter) {
    this.#socket = socket;
    this.#garbage = garbage;
  }

  /**
   * Sends what `source` has, up to about `byteLengthMax`.
   *
   * @returns True if it may have more.
   */
  drain(source: DatagramSource, byteLengthMax: number): boolean {
    const socket = this.#socket;
    const { native, role, remote, datagramBytes, onDatagram } = source;
    const slots = this.#slotsOf(datagramBytes);
    let left = byteLengthMax;
    let calls = 0;
    let largeBytes = 0;
    const oversizedBefore = socket.counters.oversizedDatagrams;
    let filled = 0;
    let hasMore = false;
    while (true) {
      if (left <= 0 || socket.isBlocked) {
        hasMore = true;
        break;
      }
      const slot = slots[filled]!;
      const sent = native.send(slot);
      if (sent === null) break;
      calls++;
      let byteLength = sent[0];
      if (role === "client" && hasLongHeader(slot)) {
        byteLength = dropInitial(slot.subarray(0, byteLength));
      }
      left -= byteLength;
      if (byteLength > DATAGRAM_BYTES_MIN) largeBytes += byteLength;
      onDatagram?.(slot.subarray(0, byteLength));
      if (byteLength === datagramBytes && filled + 1 < slots.length) {
        filled++;
        continue;
      }
      // A train ends with its first short datagram, or when it is full.
      socket.send(remote, filled * datagramBytes + byteLength, datagramBytes);
      filled = 0;
    }
    if (filled > 0) socket.send(remote, filled * datagramBytes, datagramBytes);
    this.#garbage.note(calls);
    if (left < byteLengthMax) source.noteSent(byteLengthMax - left, largeBytes);
    if (socket.counters.oversizedDatagrams !== oversizedBefore) source.noteOversized();
    return hasMore;
  }

  /** Ready-made views of the socket's buffer, for one datagram each. */
  #slotsOf(datagramBytes: number): Uint8Array[] {
    const { slab, segmentsMax } = this.#socket;
    const count = Math.max(1, Math.min(segmentsMax, Math.floor(slab.length / datagramBytes)));
    let slots = this.#slots.get(datagramBytes);
    if (slots?.length !== count) {
      slots = Array.from(
        { length: count },
        (_, i) => slab.subarray(i * datagramBytes, (i + 1) * datagramBytes),
      );
      if (this.#slots.size >= SLOT_SIZES_MAX) this.#slots.clear();
      this.#slots.set(datagramBytes, slots);
    }
    return slots;
  }
}

/** Sizes of datagrams for which views are kept. */
const SLOT_SIZES_MAX = 16;
