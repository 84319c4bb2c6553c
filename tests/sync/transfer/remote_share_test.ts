import assert from "node:assert/strict";
import fc from "fast-check";
import { concat } from "../../../src/base/bytes.ts";
import type { RelPath } from "../../../src/base/paths.ts";
import { type ByteRange, type Request, STATUS } from "../../../src/protocol/mod.ts";
import { type Answer, AnswerCut, type Requester } from "../../../src/sync/link/requester.ts";
import { type FileSink, RemoteShare } from "../../../src/sync/transfer/remote_share.ts";
import { answerFrom, type MemoryFile } from "../../support/memory_provider.ts";

/** A peer whose answers break off after so many bytes each, as long as there are cuts left. */
class CuttingPeer implements Requester {
  readonly requests: Request[] = [];
  disposed = 0;

  constructor(
    readonly files: ReadonlyMap<string, MemoryFile>,
    readonly cuts: number[],
    readonly blockBytes: number,
  ) {}

  knows(): boolean {
    return false;
  }

  async ask(request: Request): Promise<Answer> {
    this.requests.push(request);
    const pieces: Uint8Array[] = [];
    const write = (bytes: Uint8Array) => Promise.resolve(void pieces.push(bytes.slice()));
    await answerFrom(this.files, request, { write, blockBytes: this.blockBytes });
    const whole = concat(pieces);
    const end = this.cuts.shift();
    let at = 0;
    return {
      read: (into) => {
        const room = Math.min(into.length, (end ?? Infinity) - at);
        if (room <= 0) return Promise.reject(new AnswerCut(new Error("connection lost")));
        const part = whole.subarray(at, at + room);
        into.set(part);
        at += part.length;
        return Promise.resolve(part.length > 0 ? part.length : null);
      },
      stop() {},
      [Symbol.dispose]: () => void this.disposed++,
    };
  }
}

/** Checks the order of the calls, and keeps what came. */
class Recorder implements FileSink {
  readonly got = new Map<number, Uint8Array[]>();
  readonly ended: number[] = [];
  readonly failed: [number, number][] = [];

  begin(index: number): void {
    assert.ok(!this.got.has(index), `file ${index} begins twice`);
    this.got.set(index, []);
  }
  bytes(index: number, piece: Uint8Array): void {
    this.got.get(index)!.push(piece.slice());
  }
  end(index: number): void {
    this.ended.push(index);
  }
  fail(index: number, status: number): void {
    this.failed.push([index, status]);
  }
  whole(index: number): Uint8Array {
    return concat(this.got.get(index)!);
  }
}

function fileOf(size: number, seed: number): MemoryFile {
  return { bytes: Uint8Array.from({ length: size }, (_, i) => i * 7 + seed * 31), mtimeMs: seed };
}

const cutting = fc.record({
  cuts: fc.array(fc.nat(6000), { maxLength: 12 }),
  blockBytes: fc.integer({ min: 1, max: 2000 }),
});

Deno.test("getFiles() asks on where an answer was cut off, and no byte comes twice or not at all", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat(4000), { minLength: 1, maxLength: 6 }),
      cutting,
      fc.nat(5),
      async (sizes, { cuts, blockBytes }, missing) => {
        const files = new Map(sizes.map((size, i) => [`f${i}`, fileOf(size, i)]));
        files.delete(`f${missing}`);
        // Where nothing at all comes it is not asked for ever.
        const peer = new CuttingPeer(files, cuts.map((at) => at + 2100), blockBytes);
        const sink = new Recorder();
        const wanted = sizes.map((size, i) => ({
          path: `f${i}` as RelPath,
          size,
          mtimeMs: i,
          offset: i === 1 ? size >> 1 : 0,
        }));
        await new RemoteShare(peer, 1).getFiles(wanted, sink, 0);
        for (const [i, { size, offset }] of wanted.entries()) {
          if (i === missing) continue;
          assert.deepEqual(sink.whole(i), files.get(`f${i}`)!.bytes.slice(offset, size));
        }
        assert.deepEqual(sink.ended, sizes.map((_, i) => i).filter((i) => i !== missing));
        assert.deepEqual(sink.failed, missing < sizes.length ? [[missing, 2]] : []);
        assert.equal(peer.disposed, peer.requests.length);
      },
    ),
    { numRuns: 200 },
  );
});

Deno.test("getRanges() asks for the rest of its ranges where an answer was cut off", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ gap: fc.nat(50), length: fc.integer({ min: 1, max: 1500 }) }), {
        minLength: 1,
        maxLength: 8,
      }),
      cutting,
      async (pieces, { cuts, blockBytes }) => {
        const ranges: ByteRange[] = [];
        let offset = 0;
        for (const { gap, length } of pieces) {
          ranges.push({ offset: offset += gap, length });
          offset += length;
        }
        const file = fileOf(offset, 3);
        const peer = new CuttingPeer(
          new Map([["f", file]]),
          cuts.map((at) => at + 2100),
          blockBytes,
        );
        const sink = new Recorder();
        const version = { path: "f" as RelPath, size: offset, mtimeMs: 3, offset: 0 };
        await new RemoteShare(peer, 1).getRanges(version, ranges, sink);
        const expected = ranges.map((range) =>
          file.bytes.subarray(range.offset, range.offset + range.length)
        );
        assert.deepEqual(sink.whole(0), concat(expected));
        assert.deepEqual([sink.ended, sink.failed], [[0], []]);
      },
    ),
    { numRuns: 200 },
  );
});

Deno.test("getFiles() gives up with the cause after four answers that brought nothing", async () => {
  const peer = new CuttingPeer(new Map([["f", fileOf(10, 0)]]), [0, 0, 0, 0, 0], 10);
  const wanted = { path: "f" as RelPath, size: 10, mtimeMs: 0, offset: 0 };
  await assert.rejects(
    new RemoteShare(peer, 1).getFiles([wanted], new Recorder(), 0),
    /connection lost/,
  );
  assert.equal(peer.requests.length, 4);
});

Deno.test("getFiles() is through when all files came, whether the end of the answer does or not", async () => {
  const peer = new CuttingPeer(new Map([["f", fileOf(10, 0)]]), [], 10);
  const probe: number[] = [];
  const write = (bytes: Uint8Array) => Promise.resolve(void probe.push(bytes.length));
  const request = await peer.ask({
    kind: "get-files",
    session: 1,
    files: [{ path: "f" as RelPath, offset: 0 }],
  });
  request[Symbol.dispose]();
  await answerFrom(peer.files, peer.requests[0]!, { write, blockBytes: 10 });
  const END_MARK_BYTES = 13;
  peer.cuts.push(probe.reduce((a, b) => a + b) - END_MARK_BYTES);
  const sink = new Recorder();
  const wanted = { path: "f" as RelPath, size: 10, mtimeMs: 0, offset: 0 };
  await new RemoteShare(peer, 1).getFiles([wanted], sink, 0);
  assert.deepEqual(sink.ended, [0]);
  assert.equal(peer.requests.length, 2);
});

Deno.test("getEarlier() asks no peer that does not know of it", async () => {
  const peer = new CuttingPeer(new Map(), [], 10);
  const version = { path: "f" as RelPath, size: 10, mtimeMs: 0 };
  assert.deepEqual(await new RemoteShare(peer, 1).getEarlier([version]), [STATUS.changed]);
  assert.deepEqual(peer.requests, []);
});
