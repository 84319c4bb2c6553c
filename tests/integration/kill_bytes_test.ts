import assert from "node:assert/strict";
import * as fs from "node:fs";
import { noise } from "../store/chunks/reference.ts";
import { trustingPair } from "../support/cli_device.ts";
import { mortal, stopWith } from "../support/mortal.ts";
import { assertSameTree, temporaryFolder, writeTree } from "../support/tree.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const SIZE = 10 * MIB;
/** Inserted at the front of the edited file: what travels of it. */
const FRONT = 40 * MIB;
/** What has been read of a block and of a chunk that are not complete, of one request. */
const UNFINISHED_BYTES = (256 + 128) * KIB;
/** Requests for parts of one file under way at once. */
const REQUESTS = { whole: 1, edited: 3 } as const;
/** Lists of the chunks that are still to come, pages, the handshake. */
const RECIPE_BYTES = 96 * KIB;
/** Headers of packets and frames, acknowledgements. */
const OVERHEAD = 1.05;
const ROUNDS = Deno.env.has("LANDROPIC_SOAK") ? 20 : 1;
const SEED = Number(Deno.env.get("LANDROPIC_SEED") ?? Date.now() % 1_000_000);

/** Numbers from 0 to below 1, the same for the same seed (mulberry32). */
function seeded(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

for (const mode of ["push", "pull"] as const) {
  for (const what of ["whole", "edited"] as const) {
    Deno.test(`a ${mode} of a file that travels ${what}, killed at any byte, sends the rest alone`, async () => {
      const random = seeded(SEED + mode.length * 7 + what.length);
      const old = noise(SIZE, "old");
      const travelling = what === "whole" ? SIZE : FRONT;
      for (let round = 0; round < ROUNDS; round++) {
        const readBytes = Math.floor((0.05 + 0.9 * random()) * travelling);
        using temporary = temporaryFolder();
        const { path } = temporary;
        const [a, b] = await trustingPair(path);
        const [left, right] = [`${path}/left`, `${path}/right`];
        const [from, to] = mode === "push" ? [left, right] : [right, left];
        const args = ["sync", "b", left, `--${mode}`, "--no-compress", "--json", "--address"];
        writeTree(from, { f: old });
        fs.mkdirSync(to, { recursive: true });
        if (what === "edited") {
          await using server = await b.serve(right);
          await a.succeed(...args, server.address);
          writeTree(from, { f: concat(noise(FRONT, "front"), old) }, 1_700_000_100_000);
        }
        {
          await using server = mode === "push"
            ? await b.serveWith(mortal({ readBytes }), right)
            : await b.serve(right);
          const sync = a.spawn(
            [...args, server.address],
            mode === "pull" ? mortal({ readBytes }) : {},
          );
          if (mode === "push") stopWith(server, sync);
          const { signal, code } = await sync.output();
          assert.ok(mode === "push" ? code !== 0 : signal === "SIGKILL", "it was killed");
        }
        await using server = await b.serve(right);
        const { events } = await a.succeed(...args, server.address);
        assertSameTree(to, from);
        assert.deepEqual(fs.readdirSync(`${to}/.landropic/partial`), []);
        const { wireSent, wireReceived } = events.at(-1) as Record<string, number>;
        const wire = mode === "push" ? wireSent! : wireReceived!;
        const rest = travelling - readBytes + REQUESTS[what] * UNFINISHED_BYTES;
        const bound = rest * OVERHEAD + RECIPE_BYTES;
        const told = `killed after ${readBytes} bytes, then ${wire} on the wire (seed ${SEED})`;
        assert.ok(wire <= bound, `${told}: over ${Math.floor(bound)}`);
      }
    });
  }
}

/** Sizes of many files, and how many: each of them more than one batch or one request. */
const MANY = {
  large: { bytes: 1.5 * MIB, count: 16 },
  medium: { bytes: 600 * KIB, count: 40 },
  small: { bytes: 8 * KIB, count: 2000 },
} as const;
/** Requests for files under way at once, each with a chunk that is not complete. */
const UNDER_WAY_BYTES = 8 * 128 * KIB;
/** Of small files, those that wait for the disk together: one batch fills, three are flushed. */
const WAITING_BYTES = 4 * 256 * MANY.small.bytes;

/** Bytes of the files that are in place, and of those that are on their way. */
function bytesIn(folder: string): number {
  let bytes = 0;
  for (const entry of fs.readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = `${entry.parentPath}/${entry.name}`;
    const isOwn = path.includes("/.landropic/");
    if (!entry.isFile() || (isOwn && !path.endsWith(".part"))) continue;
    bytes += fs.statSync(path).size;
  }
  return bytes;
}

for (const mode of ["push", "pull"] as const) {
  for (const victim of ["receiver", "sender"] as const) {
    for (const [size, { bytes, count }] of Object.entries(MANY)) {
      Deno.test(`a ${mode} of ${size} files, its ${victim} killed at any byte, sends the rest alone`, async () => {
        const total = bytes * count;
        const random = seeded(SEED + mode.length * 7 + victim.length * 5 + bytes);
        for (let round = 0; round < ROUNDS; round++) {
          const lifeBytes = Math.floor((0.1 + 0.8 * random()) * total);
          using temporary = temporaryFolder();
          const { path } = temporary;
          const [a, b] = await trustingPair(path);
          const [left, right] = [`${path}/left`, `${path}/right`];
          const [from, to] = mode === "push" ? [left, right] : [right, left];
          writeTree(
            from,
            Object.fromEntries(
              Array.from({ length: count }, (_, i) => [`f${i}`, noise(bytes, `${size} ${i}`)]),
            ),
          );
          fs.mkdirSync(to, { recursive: true });
          const args = ["sync", "b", left, `--${mode}`, "--no-compress", "--json", "--address"];
          const dying = victim === "receiver"
            ? mortal({ readBytes: lifeBytes })
            : mortal({ writtenBytes: lifeBytes });
          const isServing = (mode === "push") === (victim === "receiver");
          {
            await using server = await b.serveWith(isServing ? dying : {}, right);
            const sync = a.spawn([...args, server.address], isServing ? {} : dying);
            if (isServing) stopWith(server, sync);
            const { signal, code } = await sync.output();
            assert.ok(isServing ? code !== 0 : signal === "SIGKILL", "it was killed");
          }
          const kept = bytesIn(to);
          await using server = await b.serve(right);
          const { events } = await a.succeed(...args, server.address);
          assertSameTree(to, from);
          assert.deepEqual(partials(to), []);
          const { bytesSent, bytesReceived } = events.at(-1) as Record<string, number>;
          const again = mode === "push" ? bytesSent! : bytesReceived!;
          const told = `killed after ${lifeBytes} bytes, ${kept} kept, ${again} sent then ` +
            `(seed ${SEED})`;
          assert.ok(again <= total - kept + UNDER_WAY_BYTES, `${told}: what was kept came again`);
          if (victim === "sender") continue;
          const lost = size === "small" ? WAITING_BYTES : 8 * UNFINISHED_BYTES;
          assert.ok(kept >= lifeBytes / OVERHEAD - RECIPE_BYTES - lost, `${told}: too little kept`);
        }
      });
    }
  }
}

function partials(folder: string): string[] {
  const path = `${folder}/.landropic/partial`;
  return fs.existsSync(path) ? fs.readdirSync(path) : [];
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  const joined = new Uint8Array(a.length + b.length);
  joined.set(a);
  joined.set(b, a.length);
  return joined;
}
