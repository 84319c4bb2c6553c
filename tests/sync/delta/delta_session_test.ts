import assert from "node:assert/strict";
import fc from "fast-check";
import * as fs from "node:fs";
import { type MemoryTransport, memoryTransportPair } from "../../support/memory_transport.ts";
import { type RunOptions, runSession } from "../../support/session_pair.ts";
import { twoFolders } from "../../support/two_folders.ts";
import { assertSameTree, writeTree } from "../../support/tree.ts";
import { joined, noise, partialNames } from "./support.ts";

const MIB = 2 ** 20;

type Mode = "push" | "pull";

interface Pair extends Disposable {
  readonly source: string;
  readonly target: string;
  /** Writes files on the source side, each time with a newer time. */
  write(files: { readonly [name: string]: Uint8Array }): void;
  /** One session; what it came to, and the bytes that travelled in both directions. */
  sync(options?: RunOptions): Promise<{ fetched: number; reused: number; wire: number }>;
}

function pairOf(mode: Mode): Pair {
  const { folder, a, b, left, right } = twoFolders();
  let timeMs = 1_700_000_000_000;
  const [source, target] = mode === "push" ? [left, right] : [right, left];
  return {
    source,
    target,
    write(files) {
      writeTree(source, files, timeMs += 10_000);
    },
    async sync(options = {}) {
      const transports = memoryTransportPair();
      const { summary, errors } = await runSession(a, left, b, right, {
        mode,
        transports,
        ...options,
      });
      assert.deepEqual(errors, []);
      return {
        fetched: mode === "push" ? summary.bytesSent : summary.bytesReceived,
        reused: summary.bytesReused,
        wire: transports[0].bytesSent + transports[1].bytesSent,
      };
    },
    [Symbol.dispose]: () => folder[Symbol.dispose](),
  };
}

for (const mode of ["push", "pull"] as const) {
  Deno.test(`an edited file travels as what is new in it, by ${mode}`, async () => {
    using pair = pairOf(mode);
    const old = noise(6 * MIB, "old");
    pair.write({ f: old, other: noise(MIB, "other") });
    assert.equal((await pair.sync()).fetched, 7 * MIB);
    const edits = [
      joined(noise(1, "a"), old),
      joined(old.subarray(0, 3 * MIB), noise(2000, "b"), old.subarray(3 * MIB)),
      joined(old, noise(50_000, "c")),
      joined(old.subarray(0, 4 * MIB + 11)),
      joined(old.subarray(3 * MIB), old.subarray(0, 3 * MIB), old.subarray(MIB, 2 * MIB)),
    ];
    for (const [i, edited] of edits.entries()) {
      pair.write({ f: edited });
      const { fetched, reused, wire } = await pair.sync();
      assertSameTree(pair.target, pair.source);
      assert.equal(fetched + reused, edited.length);
      // After the last edit the first version is gone, and most of it is wanted again.
      if (i < 4) assert.ok(fetched <= 6 * 128 * 1024, `edit ${i}: ${fetched} fetched`);
      assert.ok(wire <= fetched + 20_000, `edit ${i}: ${wire} on the wire`);
    }
    assert.deepEqual(partialNames(pair.target), []);
    assert.equal((await pair.sync()).wire < 2000, true);
  });

  Deno.test(`a copied file travels as its name, by ${mode}`, async () => {
    using pair = pairOf(mode);
    const contents = noise(9 * MIB, "copied");
    pair.write({ f: contents });
    await pair.sync();
    pair.write({ "copy 1": contents, "copy 2": contents, d: { f: contents } as never });
    const { fetched, reused, wire } = await pair.sync();
    assertSameTree(pair.target, pair.source);
    assert.equal(fetched, 0);
    assert.equal(reused, 3 * contents.length);
    assert.ok(wire < contents.length / 100, `${wire} on the wire`);
  });

  Deno.test(`small copies need no bytes where contents are compared, by ${mode}`, async () => {
    using pair = pairOf(mode);
    const files = Object.fromEntries(
      Array.from({ length: 40 }, (_, i) => [`f${i}`, noise(3000 + i, `small ${i}`)]),
    );
    pair.write({ ...files, same: noise(100, "same") });
    await pair.sync({ checksum: true });
    const copies = Object.entries(files).map(([name, bytes]) => [`copy of ${name}`, bytes]);
    pair.write({ ...Object.fromEntries(copies), fresh: noise(500, "fresh") });
    const { fetched, reused } = await pair.sync({ checksum: true });
    assertSameTree(pair.target, pair.source);
    assert.equal(fetched, 500);
    assert.equal(reused, Object.values(files).reduce((sum, { length }) => sum + length, 0));
  });
}

Deno.test("new files of an empty share are not hashed by the sender before they travel", async () => {
  using pair = pairOf("push");
  pair.write({ a: noise(9 * MIB, "a"), b: noise(2 * MIB, "b"), c: noise(400_000, "c") });
  const transports = memoryTransportPair();
  const kinds: number[] = [];
  transports[1].onWrite = (bytes) => {
    // A request begins with its kind; answers and control frames begin otherwise.
    if (bytes.length < 100 && (bytes[0] === 3 || bytes[0] === 4)) kinds.push(bytes[0]);
  };
  await pair.sync({ transports });
  assertSameTree(pair.target, pair.source);
  assert.ok(kinds.includes(4), "whole files are asked for");
  assert.ok(!kinds.includes(3), "and no recipe");
});

Deno.test("random edits to random files converge, and every byte is fetched or reused", async () => {
  const piece = fc.record({
    label: fc.constantFrom("a", "b", "c", "zeros"),
    start: fc.integer({ min: 0, max: 600_000 }),
    length: fc.integer({ min: 0, max: 600_000 }),
  });
  const pool: Record<string, Uint8Array> = {
    a: noise(1_200_000, "session a"),
    b: noise(1_200_000, "session b"),
    c: noise(1_200_000, "session c"),
    zeros: new Uint8Array(1_200_000),
  };
  const edit = fc.record({
    name: fc.constantFrom("f", "g", "h"),
    pieces: fc.array(piece, { minLength: 1, maxLength: 5 }),
  });
  const rounds = fc.array(fc.array(edit, { minLength: 1, maxLength: 3 }), {
    minLength: 1,
    maxLength: 4,
  });
  await fc.assert(
    fc.asyncProperty(fc.constantFrom<Mode>("push", "pull"), rounds, async (mode, rounds) => {
      using pair = pairOf(mode);
      for (const edits of rounds) {
        const files: Record<string, Uint8Array> = {};
        for (const { name, pieces } of edits) {
          files[name] = joined(
            ...pieces.map(({ label, start, length }) =>
              pool[label]!.subarray(start, start + length)
            ),
          );
        }
        pair.write(files);
        const { fetched, reused } = await pair.sync();
        assertSameTree(pair.target, pair.source);
        const size = Object.values(files).reduce((sum, { length }) => sum + length, 0);
        assert.equal(fetched + reused, size);
      }
    }),
    { numRuns: 10 },
  );
});

/** Breaks the connection off once the source side has written so many bytes. */
function cut(transport: MemoryTransport, bytes: number): void {
  let left = bytes;
  transport.onWrite = ({ length }) => {
    left -= length;
    if (left < 0) throw new Error("cut");
  };
}

for (const mode of ["push", "pull"] as const) {
  Deno.test(`sessions that break off at random points waste little, by ${mode}`, async () => {
    const contents = noise(20 * MIB, "cut");
    const old = noise(4 * MIB, "before");
    await fc.assert(
      fc.asyncProperty(
        fc.boolean(),
        fc.array(fc.integer({ min: 1000, max: 15 * MIB }), { minLength: 1, maxLength: 3 }),
        async (isEdit, cuts) => {
          using pair = pairOf(mode);
          if (isEdit) {
            pair.write({ f: old });
            await pair.sync();
          }
          pair.write({ f: isEdit ? joined(old, contents) : contents });
          let sent = 0;
          for (const bytes of cuts) {
            const transports = memoryTransportPair();
            const sender = transports[mode === "push" ? 0 : 1];
            cut(sender, bytes);
            const isDone = await pair.sync({ transports }).then(() => true, () => false);
            sent = isDone ? 0 : sent + sender.bytesSent;
          }
          const transports = memoryTransportPair();
          await pair.sync({ transports });
          assertSameTree(pair.target, pair.source);
          sent += transports[mode === "push" ? 0 : 1].bytesSent;
          // A megabyte in the window of each of three streams, the front of a chunk, and what is said.
          const slack = cuts.length * (3 * (MIB + 256 * 1024 + 128 * 1024) + 64 * 1024);
          assert.ok(sent <= contents.length + 256 * 1024 + slack, `${sent} sent`);
          assert.deepEqual(partialNames(pair.target), []);
        },
      ),
      { numRuns: 5 },
    );
  });
}

Deno.test("a file that changes while it is sent is left for the next sync", async () => {
  using pair = pairOf("push");
  const old = noise(12 * MIB, "old");
  pair.write({ f: old });
  await pair.sync();
  const next = joined(noise(10 * MIB, "new"), old);
  pair.write({ f: next });
  const transports = memoryTransportPair();
  let left = 4 * MIB;
  transports[0].onWrite = ({ length }) => {
    if (left > 0 && (left -= length) <= 0) fs.appendFileSync(`${pair.source}/f`, "more");
  };
  await assert.rejects(pair.sync({ transports }), /changed/);
  assert.equal(fs.statSync(`${pair.target}/f`).size, old.length, "the old version stays");
  pair.write({ f: joined(next, noise(10, "more")) });
  const { fetched } = await pair.sync();
  assertSameTree(pair.target, pair.source);
  assert.ok(fetched < 8 * MIB, `${fetched}: what came before is used`);
  assert.deepEqual(partialNames(pair.target), []);
});
