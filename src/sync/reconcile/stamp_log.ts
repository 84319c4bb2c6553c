import { decodeUtf8 } from "../../base/bytes.ts";
import { PATH_BYTES_MAX, type RelPath } from "../../base/paths.ts";
import { RecordLog } from "../../base/record_log.ts";
import { ByteReader, ByteWriter } from "../../base/varint.ts";
import { readVector, writeVector } from "../../base/version_vector.ts";
import { Uint32List } from "../../base/uint32_list.ts";
import type { LongList } from "../plan/sync_plan.ts";
import type { PendingStamp, Stamp } from "./settlement.ts";
import type { Side } from "./side.ts";

const REMOTE = 1;
const DELETED = 2;

/** Stamps as bytes, 60 to 80 each before they are packed: two trees that meet may need one for every entry. */
export class StampLog implements Iterable<PendingStamp> {
  readonly #records = new RecordLog();
  readonly #writer = new ByteWriter(128);

  /** Adds one. */
  add({ side, path, vector, isDeleted, needs }: PendingStamp): void {
    const into = this.#writer;
    into.clear();
    into.u8((side === "remote" ? REMOTE : 0) | (isDeleted ? DELETED : 0)).text(path);
    writeVector(into, vector);
    for (const id of needs) into.varint(id);
    this.#records.append(into.view());
  }

  *[Symbol.iterator](): Generator<PendingStamp> {
    for (let i = 0; i < this.#records.length; i++) yield decodeStamp(this.#records.at(i));
  }

  /** Those of one side whose operations are done. */
  settled(side: Side, isDone: (need: number) => boolean): LongList<Stamp> {
    const places = new Uint32List();
    let place = 0;
    for (const stamp of this) {
      if (stamp.side === side && stamp.needs.every(isDone)) places.push(place);
      place++;
    }
    return new SettledStamps(this.#records, places);
  }
}

/** Stamps that count, each made when it is looked at. */
class SettledStamps implements LongList<Stamp> {
  readonly #records: RecordLog;
  readonly #places: Uint32List;

  constructor(records: RecordLog, places: Uint32List) {
    this.#records = records;
    this.#places = places;
  }

  get length(): number {
    return this.#places.length;
  }

  at(index: number): Stamp | undefined {
    if (index >= this.length) return undefined;
    const { needs: _, ...stamp } = decodeStamp(this.#records.at(this.#places.at(index)));
    return stamp;
  }

  *[Symbol.iterator](): Generator<Stamp> {
    for (let i = 0; i < this.length; i++) yield this.at(i)!;
  }
}

function decodeStamp(bytes: Uint8Array): PendingStamp {
  const from = new ByteReader(bytes);
  const flags = from.u8();
  const path = decodeUtf8(from.lv(PATH_BYTES_MAX)) as RelPath;
  const vector = readVector(from);
  const needs: number[] = [];
  while (from.remaining > 0) needs.push(from.varint());
  const side = (flags & REMOTE) !== 0 ? "remote" : "local";
  return { side, path, vector, isDeleted: (flags & DELETED) !== 0, needs };
}
