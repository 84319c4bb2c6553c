import { Encoder } from "cbor-x";
import type { Bytes } from "../base/bytes.ts";
import { scanCbor } from "./cbor_scan.ts";
import { ProtocolError } from "./errors.ts";

/** What a message is made of: small integer keys, in any order. */
export type CborMap = ReadonlyMap<number, CborValue>;

/** The CBOR data model that messages use; no tags, no floats by intent. */
export type CborValue =
  | number
  | string
  | boolean
  | Uint8Array
  | null
  | undefined
  | readonly CborValue[]
  | CborMap;

// The defaults would emit record definitions, tag 64 on byte strings and tag 259 on maps.
// A variable, since cbor-x's own types lack one of these options.
const STRICT = {
  useRecords: false,
  mapsAsObjects: false,
  tagUint8Array: false,
  variableMapSize: true,
  useTag259ForMaps: false,
};
const codec = new Encoder(STRICT);

/** Encodes a message payload. Not canonical: never compute a digest over it. */
export function encodeCbor(map: CborMap): Bytes {
  return codec.encode(map).slice() as Bytes;
}

/**
 * Decodes a message payload: pre-scan, then cbor-x, then the shape of a map with integer keys.
 *
 * @throws {ProtocolError} on anything else, before a decoder sees what could stall it.
 */
export function decodeCbor(payload: Uint8Array): CborMap {
  scanCbor(payload);
  let value: unknown;
  try {
    value = codec.decode(payload);
  } catch (error) {
    throw new ProtocolError("CBOR can't be decoded", undefined, error);
  }
  if (!(value instanceof Map)) throw new ProtocolError("Message is no CBOR map");
  if (countKeys(payload) !== value.size) {
    throw new ProtocolError("Message has a key twice");
  }
  for (const key of value.keys()) {
    if (typeof key !== "number") throw new ProtocolError("Message key is no integer");
  }
  return value;
}

/** Pairs that the outermost map announces; a smaller decoded size betrays duplicate keys. */
function countKeys(payload: Uint8Array): number {
  const info = payload[0]! & 0x1f;
  if (info < 24) return info;
  if (info === 24) return payload[1]!;
  if (info === 25) return payload[1]! * 256 + payload[2]!;
  return ((payload[1]! * 256 + payload[2]!) * 256 + payload[3]!) * 256 + payload[4]!;
}

/** Typed, checked access to the fields of a decoded message. Wrong types throw, absent ones are named. */
export class Fields {
  constructor(readonly map: CborMap, readonly what: string) {}

  /** An integer from 0 to `max`. @throws {ProtocolError} */
  uint(key: number, max = Number.MAX_SAFE_INTEGER): number {
    const value = this.map.get(key);
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0 || value > max) {
      throw this.#bad(key, `no integer from 0 to ${max}`);
    }
    return value;
  }

  /** As {@linkcode uint}, or `undefined` where the key is absent. */
  optionalUint(key: number, max?: number): number | undefined {
    return this.map.get(key) === undefined ? undefined : this.uint(key, max);
  }

  /** Text of at most `max` UTF-16 units, well formed. @throws {ProtocolError} */
  text(key: number, max: number): string {
    const value = this.map.get(key);
    if (typeof value !== "string" || value.length > max || !value.isWellFormed()) {
      throw this.#bad(key, `no text up to ${max}`);
    }
    return value;
  }

  /** Bytes, `min` to `max` of them, as a copy. @throws {ProtocolError} */
  bytes(key: number, min: number, max: number): Bytes {
    const value = this.map.get(key);
    if (!(value instanceof Uint8Array) || value.length < min || value.length > max) {
      throw this.#bad(key, `no byte string of ${min} to ${max}`);
    }
    return new Uint8Array(value);
  }

  /** As {@linkcode bytes}, or `undefined` where the key is absent. */
  optionalBytes(key: number, min: number, max: number): Bytes | undefined {
    return this.map.get(key) === undefined ? undefined : this.bytes(key, min, max);
  }

  /** True only for `true`; absent is false. @throws {ProtocolError} on another type. */
  flag(key: number): boolean {
    const value = this.map.get(key) ?? false;
    if (typeof value !== "boolean") throw this.#bad(key, "no boolean");
    return value;
  }

  /** A list of at most `max` items, each read by `read`. Absent is an empty list. */
  list<T>(key: number, max: number, read: (item: Fields) => T): T[] {
    const value = this.map.get(key) ?? [];
    if (!Array.isArray(value) || value.length > max) throw this.#bad(key, `no list up to ${max}`);
    return value.map((item, i) =>
      read(new Fields(new Map([[0, item]]), `${this.what}[${key}][${i}]`))
    );
  }

  /** A nested map. Absent is an empty one. @throws {ProtocolError} */
  fields(key: number): Fields {
    const value = this.map.get(key) ?? new Map();
    if (!(value instanceof Map)) throw this.#bad(key, "no map");
    return new Fields(value as CborMap, `${this.what}[${key}]`);
  }

  #bad(key: number, why: string): ProtocolError {
    return new ProtocolError(`${this.what}: field ${key} is ${why}`);
  }
}
