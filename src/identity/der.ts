/** ASN.1 tags (X.690 section 8.1.2) that our certificates are made of. */
export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utf8String: 0x0c,
  printableString: 0x13,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
  /** `[0]`, constructed: the version. */
  context0: 0xa0,
  /** `[3]`, constructed: the extensions. */
  context3: 0xa3,
} as const;

/** Bytes that are no DER, or not the DER that was asked for. */
export class DerError extends Error {
  override readonly name = "DerError";
}

/** One element: its tag, contents, and the whole encoding; views, not copies. */
export interface DerElement {
  readonly tag: number;
  readonly content: Uint8Array;
  readonly encoding: Uint8Array;
}

/**
 * Reads DER elements front to back and takes no second spelling of anything: definite lengths in
 * their shortest form, one-byte tags, nothing past the end (X.690 section 10).
 */
export class DerReader {
  #offset = 0;

  constructor(readonly bytes: Uint8Array) {}

  /** True once every byte was read. */
  get atEnd(): boolean {
    return this.#offset === this.bytes.length;
  }

  /** The tag of the next element, or `undefined` at the end. */
  peekTag(): number | undefined {
    return this.bytes[this.#offset];
  }

  /** @throws {DerError} unless a whole element with this tag follows. */
  read(tag: number): DerElement {
    if (this.peekTag() !== tag) {
      const found = this.peekTag() === undefined ? "the end" : `tag ${this.peekTag()}`;
      throw new DerError(`expected tag ${tag}, found ${found}`);
    }
    return this.readAny();
  }

  /** @throws {DerError} unless a whole element follows. */
  readAny(): DerElement {
    const start = this.#offset;
    const tag = this.#byte();
    if ((tag & 0x1f) === 0x1f) throw new DerError("multi-byte tag");
    const length = this.#length();
    if (length > this.bytes.length - this.#offset) throw new DerError("element ends early");
    const content = this.bytes.subarray(this.#offset, this.#offset + length);
    this.#offset += length;
    return { tag, content, encoding: this.bytes.subarray(start, this.#offset) };
  }

  /** @throws {DerError} unless a sequence follows. */
  readSequence(): DerReader {
    return new DerReader(this.read(TAG.sequence).content);
  }

  /** @throws {DerError} unless every byte was read. */
  end(): void {
    if (!this.atEnd) throw new DerError("bytes behind the last element");
  }

  #byte(): number {
    const byte = this.bytes[this.#offset++];
    if (byte === undefined) throw new DerError("input ends early");
    return byte;
  }

  #length(): number {
    const first = this.#byte();
    if (first < 0x80) return first;
    const count = first & 0x7f;
    // Two length bytes reach 65535, far above any certificate that is read.
    if (count === 0 || count > 2) throw new DerError("indefinite or oversize length");
    let length = 0;
    for (let i = 0; i < count; i++) length = length * 256 + this.#byte();
    if (length < (count === 1 ? 0x80 : 0x100)) {
      throw new DerError("length not in its shortest form");
    }
    return length;
  }
}
