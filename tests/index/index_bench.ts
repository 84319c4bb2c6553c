/**
 * Measures the index: `deno run -A tests/index/index_bench.ts [FILES] [FILES_A_DIRECTORY]`, by default
 * 20000 and 16. Each phase runs in a process of its own, as landropic does, so that nothing is warm.
 */
import type { DirPath } from "../../src/base/paths.ts";
import { encodePage, type FileEntry, shapeOf } from "../../src/base/tree.ts";
import { vectorMember } from "../../src/base/version_vector.ts";
import { type EntryRecord, openIndex, type RootIndex } from "../../src/index/mod.ts";
import { DEVICE, digestOf, fileRecord, PEER, ROOT } from "./temp_index.ts";

const [files = "20000", perDir = "16", phase, path] = Deno.args;
const FILES = Number(files);
const PER_DIR = Number(perDir);
const DIRS = Math.ceil(FILES / PER_DIR);

const vector = [{ member: vectorMember(DEVICE, "epoch"), counter: 1 }];

function entryAt(i: number): EntryRecord {
  return statAt(i, { digest: digestOf(i), vector });
}

/** What a scan finds of a file. */
function statAt(i: number, known: Partial<EntryRecord> = {}): EntryRecord {
  const name = `file-${String(i).padStart(7, "0")}.txt`;
  const mtimeMs = 1_763_800_000_000 + i;
  return fileRecord(name, { mtimeMs, ctimeMs: mtimeMs + 3, ino: 1000 + i, ...known });
}

function pathAt(d: number): DirPath {
  return `d${d % 25}/sub${d}` as DirPath;
}

function dirAt(d: number) {
  const count = Math.min(PER_DIR, FILES - d * PER_DIR);
  const entries = Array.from({ length: count }, (_, k) => entryAt(d * PER_DIR + k));
  return {
    path: `d${d % 25}/sub${d}` as DirPath,
    record: { scannedAtMs: 1, entries, tombstones: [] },
  };
}

function pageAt(d: number) {
  const page = encodePage(dirAt(d).record.entries.map((entry) => entry as FileEntry));
  return { page, shape: shapeOf(page) };
}

const PHASES: Record<string, (root: RootIndex, lap: (what: string) => void) => void> = {
  write(root, lap) {
    const dirs = Array.from({ length: DIRS }, (_, d) => dirAt(d));
    const pages = Array.from({ length: DIRS }, (_, d) => pageAt(d));
    lap("");
    for (const { path, record } of dirs) root.putDir(path, record);
    lap("all records: encode");
    root.transaction(() => {
      root.putPages(pages);
      root.setAncestor(PEER, { shape: pages[0]!.shape });
    });
    lap("all records, pages, ancestor: durable");
  },
  unchanged(root, lap) {
    const stats = Array.from({ length: FILES }, (_, i) => statAt(i));
    lap("");
    root.preload();
    lap("preload");
    let unchanged = 0;
    for (let d = 0; d < DIRS; d++) {
      const view = root.viewDir(pathAt(d))!;
      for (let i = 0; i < view.length; i++) {
        const stat = stats[d * PER_DIR + i]!;
        if (view.name(i) === stat.name && view.isUnchanged(i, stat)) unchanged++;
      }
    }
    lap("views: all compared");
    if (unchanged !== FILES) throw new Error(`only ${unchanged} unchanged`);
  },
  decode(root, lap) {
    let entries = 0;
    for (let d = 0; d < DIRS; d++) {
      entries += root.getDir(pathAt(d))!.entries.length;
    }
    lap("getDir() of each");
    if (entries !== FILES) throw new Error(`only ${entries} entries`);
  },
  change(root, lap) {
    const { shape } = pageAt(1 % DIRS);
    const changed = Array.from({ length: DIRS }, (_, d) => dirAt(d)).filter((_, d) => d % 6 === 0);
    lap("");
    for (let k = 0; k < FILES / 100; k++) {
      const { path, record } = changed[k % changed.length]!;
      const entry = record.entries[Math.floor(k / changed.length)]!;
      root.patchDir(path, {
        scannedAtMs: 2,
        entries: [{ ...entry, size: 9 }],
        tombstones: [],
        removed: [],
      });
    }
    root.transaction(() => root.setAncestor(PEER, { shape }));
    lap("1 % of files patched: durable");
  },
  locate(root, lap) {
    const digests = Array.from({ length: 1000 }, (_, i) => entryAt(i).digest!);
    lap("");
    root.pathsOfDigest(entryAt(0).digest!);
    lap("first look-up by digest");
    if (root.pathsOfDigests(digests).size !== 1000) throw new Error("not all found");
    lap("1000 look-ups by digest");
  },
};

if (phase === undefined) {
  const folder = Deno.makeTempDirSync({ prefix: "landropic-bench-" });
  for (const name of Object.keys(PHASES)) {
    const args = ["run", "-A", import.meta.filename!, files, perDir, name, `${folder}/index.db`];
    const { code } = new Deno.Command(Deno.execPath(), { args, stdout: "inherit" }).outputSync();
    if (code !== 0) Deno.exit(code);
  }
  console.log(`${(Deno.statSync(`${folder}/index.db`).size / 1e6).toFixed(1)} MB`);
  Deno.removeSync(folder, { recursive: true });
} else {
  let since = performance.now();
  const lap = (what: string) => {
    const ms = performance.now() - since;
    if (what !== "") {
      console.log(
        `${what.padEnd(40)} ${ms.toFixed(1).padStart(8)} ms ${
          (ms * 1000 / FILES).toFixed(2)
        } µs a file`,
      );
    }
    since = performance.now();
  };
  await using index = await openIndex({ path: path!, deviceId: DEVICE });
  const root = index.openRoot(ROOT);
  lap(`open (${phase})`);
  PHASES[phase]!(root, lap);
  since = performance.now();
  index.close();
  lap("close");
}
