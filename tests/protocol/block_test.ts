import assert from "node:assert/strict";
import fc from "fast-check";
import { zstdCompressSync } from "node:zlib";
import { concat } from "../../src/base/bytes.ts";
import { type ByteReader, ByteWriter } from "../../src/base/varint.ts";
import {
  BLOCK_BYTES_MAX,
  BLOCK_HEADER_BYTES,
  BlockReader,
  BlockWriter,
  ProtocolError,
  RecordReader,
  WRITE_BYTES_COPIED,
} from "../../src/protocol/mod.ts";

async function encode(parts: Uint8Array[], compress: boolean): Promise<Uint8Array> {
  const out: Uint8Array[] = [];
  const writer = new BlockWriter((bytes) => {
    out.push(bytes.slice());
    return Promise.resolve();
  }, { compress });
  for (const part of parts) await writer.write(part);
  await writer.finish();
  return concat(out);
}

/** A source that gives at most `step` bytes a read. */
function reader(bytes: Uint8Array, step = Infinity): BlockReader {
  let offset = 0;
  return new BlockReader((into) => {
    if (offset === bytes.length) return Promise.resolve(null);
    const part = bytes.subarray(offset, offset + Math.min(step, into.length));
    into.set(part);
    offset += part.length;
    return Promise.resolve(part.length);
  });
}

async function decode(blocks: BlockReader): Promise<Uint8Array> {
  const out: Uint8Array[] = [];
  for (let block; (block = await blocks.next()) !== null;) out.push(block.slice());
  return concat(out);
}

const noise = (length: number) => {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i += 65_536) crypto.getRandomValues(bytes.subarray(i, i + 65_536));
  return bytes;
};

Deno.test("BlockReader gives back what BlockWriter took, compressed or not, however it arrives", async () => {
  const parts = fc.array(fc.uint8Array({ maxLength: 2000 }), { maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(
      parts,
      fc.boolean(),
      fc.integer({ min: 1, max: 700 }),
      async (parts, compress, step) => {
        const bytes = await encode(parts, compress);
        assert.deepEqual(await decode(reader(bytes, step)), concat(parts));
      },
    ),
  );
});

for (
  const size of [
    0,
    1,
    BLOCK_BYTES_MAX - 1,
    BLOCK_BYTES_MAX,
    BLOCK_BYTES_MAX + 1,
    BLOCK_BYTES_MAX * 3,
  ]
) {
  Deno.test(`BlockWriter and BlockReader carry ${size} bytes of noise and of text`, async () => {
    for (const raw of [noise(size), new Uint8Array(size).fill(97)]) {
      assert.deepEqual(await decode(reader(await encode([raw], true))), raw);
    }
  });
}

Deno.test("BlockWriter compresses text and leaves noise as it is", async () => {
  const text = new Uint8Array(BLOCK_BYTES_MAX * 4).fill(97);
  assert.ok((await encode([text], true)).length < 10_000);
  assert.ok((await encode([text], false)).length > text.length);
  const random = noise(BLOCK_BYTES_MAX * 4);
  assert.equal((await encode([random], true)).length, random.length + 5 * BLOCK_HEADER_BYTES);
});

Deno.test("BlockReaders in turns keep their blocks apart", async () => {
  const texts = [97, 98].map((byte) => new Uint8Array(BLOCK_BYTES_MAX * 2).fill(byte));
  const readers = await Promise.all(texts.map(async (text) => reader(await encode([text], true))));
  for (let i = 0; i < 2; i++) {
    const blocks = [await readers[0]!.next(), await readers[1]!.next()];
    assert.deepEqual(blocks.map((block) => [block!.length, block![0], block!.at(-1)]), [
      [BLOCK_BYTES_MAX, 97, 97],
      [BLOCK_BYTES_MAX, 98, 98],
    ]);
  }
});

Deno.test("a compressed block stays what it is until it is taken, whoever compresses meanwhile", async () => {
  const texts = ["ab", "cdefg", "hi"].map((letters) =>
    new Uint8Array(BLOCK_BYTES_MAX * 3).map((_, i) => letters.charCodeAt(i % letters.length))
  );
  const turn = () => new Promise((resolve) => setTimeout(resolve));
  const encoded = await Promise.all(texts.map(async (text) => {
    const out: Uint8Array[] = [];
    const writer = new BlockWriter(async (bytes) => {
      for (let i = 0; i < 3; i++) await turn();
      out.push(bytes.slice());
    }, { compress: true });
    await writer.write(text);
    await writer.finish();
    return concat(out);
  }));
  for (const [i, bytes] of encoded.entries()) {
    assert.ok(bytes.length < 10_000);
    assert.deepEqual(await decode(reader(bytes)), texts[i]);
  }
});

Deno.test("BlockReader refuses a flipped bit anywhere in the payload", async () => {
  const bytes = await encode([noise(300)], true);
  for (let at = BLOCK_HEADER_BYTES; at < BLOCK_HEADER_BYTES + 300; at += 37) {
    const bad = bytes.slice();
    bad[at]! ^= 1;
    await assert.rejects(decode(reader(bad)), ProtocolError);
  }
});

Deno.test("BlockReader refuses bad headers, bombs and early ends", async () => {
  const block = (encoding: number, raw: number, encoded: number, body: Uint8Array) => {
    const bytes = new Uint8Array(BLOCK_HEADER_BYTES + body.length);
    const view = new DataView(bytes.buffer);
    view.setUint8(0, encoding);
    view.setUint32(1, raw);
    view.setUint32(5, encoded);
    bytes.set(body, BLOCK_HEADER_BYTES);
    return bytes;
  };
  const bomb = zstdCompressSync(new Uint8Array(64 * 1024 * 1024));
  const cases = {
    "unknown encoding": block(7, 1, 1, new Uint8Array(1)),
    "empty block": block(0, 0, 0, new Uint8Array(0)),
    "raw length over the limit": block(
      0,
      BLOCK_BYTES_MAX + 1,
      BLOCK_BYTES_MAX + 1,
      new Uint8Array(0),
    ),
    "raw and encoded length differ": block(0, 5, 4, new Uint8Array(4)),
    "encoded longer than raw": block(1, 4, 5, new Uint8Array(5)),
    "zstd bomb": block(1, BLOCK_BYTES_MAX, bomb.length, bomb),
    "no zstd at all": block(1, 100, 50, new Uint8Array(50)),
    "wrong checksum": block(0, 4, 4, new Uint8Array([1, 2, 3, 4])),
    "end in the header": new Uint8Array(5),
    "end in the body": block(0, 10, 10, new Uint8Array(4)),
    "no end mark": (await encode([noise(10)], false)).subarray(0, BLOCK_HEADER_BYTES + 10),
  };
  for (const [name, bytes] of Object.entries(cases)) {
    await assert.rejects(decode(reader(bytes)), ProtocolError, name);
  }
});

Deno.test("RecordReader reads fields across block boundaries", async () => {
  const body = noise(BLOCK_BYTES_MAX - 2);
  const tail = new Uint8Array([0x41, 0x2c, 3, 120, 121, 122, 9]); // varint 300, lv "xyz", u8 9
  const records = new RecordReader(reader(await encode([body, tail], false), 1000));
  assert.deepEqual((await records.take(body.length)).slice(), body);
  assert.equal(await records.varint(), 300);
  assert.equal(await records.text(3), "xyz");
  assert.equal(await records.atEnd(), false);
  assert.equal(await records.u8(), 9);
  assert.equal(await records.atEnd(), true);
  await assert.rejects(records.u8(), ProtocolError);
});

Deno.test("RecordReader gives a field of megabytes whole, and reserves no more than has come of it", async () => {
  const body = noise(5 * 1024 * 1024 + 3);
  const head = new ByteWriter().varint(body.length).finish();
  const whole = new RecordReader(reader(await encode([head, body], false), 70_000));
  assert.deepEqual((await whole.lv(body.length)).slice(), body);
  const cut = await encode([new ByteWriter().varint(2 ** 29).finish(), noise(100)], false);
  const before = Deno.memoryUsage().external;
  const readers = Array.from({ length: 16 }, () => new RecordReader(reader(cut)).lv(2 ** 29));
  const settled = Promise.allSettled(readers);
  await new Promise((resolve) => setTimeout(resolve));
  assert.ok(Deno.memoryUsage().external - before < 256 * 1024 * 1024);
  for (const { status } of await settled) assert.equal(status, "rejected");
});

Deno.test("RecordReader refuses a field over its limit", async () => {
  const records = new RecordReader(reader(await encode([new Uint8Array([9, 1, 1])], false)));
  await assert.rejects(records.lv(8), ProtocolError);
});

Deno.test("BlockWriter.write() is done with short bytes on return, also where a block ends in them", async () => {
  const out: Uint8Array[] = [];
  const writer = new BlockWriter(async (bytes) => {
    const copy = bytes.slice();
    await new Promise((resolve) => setTimeout(resolve));
    out.push(copy);
  }, { compress: false });
  const front = noise(BLOCK_BYTES_MAX - 3);
  await writer.write(front);
  const scratch = noise(WRITE_BYTES_COPIED);
  const meant = scratch.slice();
  const writing = writer.write(scratch);
  assert.ok(writing instanceof Promise);
  scratch.fill(0);
  await writing;
  await writer.finish();
  const expected = concat([front, meant]);
  assert.deepEqual(await decode(reader(concat(out))), expected);
});

Deno.test("BlockWriter waits only where a block goes out", async () => {
  let blocks = 0;
  const writer = new BlockWriter(() => Promise.resolve(void blocks++), { compress: false });
  assert.ok(writer.fits(BLOCK_BYTES_MAX - 1));
  assert.equal(writer.write(new Uint8Array(BLOCK_BYTES_MAX - 1)), undefined);
  assert.equal(blocks, 0);
  assert.equal(writer.fits(1), false);
  await writer.write(new Uint8Array(1));
  assert.equal(blocks, 1);
});

const parsePair = (from: ByteReader) => ({ number: from.varint(), text: [...from.lv(50)] });

Deno.test("RecordReader.record() reads records however blocks cut them", async () => {
  const pair = fc.record({ number: fc.nat(), text: fc.uint8Array({ maxLength: 50 }) });
  const property = async (
    pairs: { number: number; text: Uint8Array }[],
    cut: number,
    step: number,
  ) => {
    const bytes = new ByteWriter();
    for (const { number, text } of pairs) bytes.varint(number).lv(text);
    const whole = bytes.finish();
    const parts: Uint8Array[] = [];
    const writer = new BlockWriter((bytes) => Promise.resolve(void parts.push(bytes.slice())), {
      compress: false,
    });
    for (let at = 0; at < whole.length; at += cut) {
      await writer.write(whole.subarray(at, at + cut));
      await writer.flush();
    }
    await writer.finish();
    const records = new RecordReader(reader(concat(parts), step));
    for (const { number, text } of pairs) {
      assert.deepEqual(await records.record(59, parsePair), { number, text: [...text] });
    }
    assert.equal(await records.atEnd(), true);
  };
  await fc.assert(
    fc.asyncProperty(
      fc.array(pair),
      fc.integer({ min: 1, max: 200 }),
      fc.integer({ min: 1, max: 100 }),
      property,
    ),
  );
});

Deno.test("RecordReader.record() gives what is at hand without a promise, up to the last byte", async () => {
  const records = new RecordReader(reader(await encode([new Uint8Array([1, 0, 2, 0])], false)));
  assert.equal(await records.atEnd(), false);
  assert.equal(records.hasMoreAtHand, true);
  assert.deepEqual(records.record(59, parsePair), { number: 1, text: [] });
  assert.deepEqual(records.record(59, parsePair), { number: 2, text: [] });
  assert.equal(records.hasMoreAtHand, false);
});

Deno.test("RecordReader.record() refuses what is cut off, wrong or over its length", async () => {
  const cases = {
    "cut off": new Uint8Array([1, 5, 0]),
    "over its length": new Uint8Array([1, 0x40, 51, ...new Uint8Array(60)]),
    "over its length, and no more to come": new Uint8Array([1, 0x40, 51]),
  };
  for (const [name, bytes] of Object.entries(cases)) {
    const records = new RecordReader(reader(await encode([bytes], false)));
    await assert.rejects(async () => await records.record(59, parsePair), ProtocolError, name);
  }
});

Deno.test("writers and readers under way at once, and one after the other, do not mix", async () => {
  const contents = Array.from({ length: 5 }, (_, i) => new Uint8Array(300_000).fill(i + 1));
  for (let round = 0; round < 3; round++) {
    const encoded = await Promise.all(contents.map((part) => encode([part], false)));
    const readers = encoded.map((bytes) => reader(bytes, 50_000));
    const decoded = await Promise.all(readers.map((blocks) => decode(blocks)));
    assert.deepEqual(decoded, contents);
  }
});
