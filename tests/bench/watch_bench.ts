/**
 * How soon `sync --watch` brings one changed file of a large tree to the other side, and what processor
 * time a round costs on each side.
 *
 *     LANDROPIC_EXE=dist/landropic deno run -A tests/bench/watch_bench.ts --files 20000,200000
 *
 * Options: `--files N,N`, `--changes 5` for each side. Files have 100 bytes, 100 lie in a folder.
 */
import * as fs from "node:fs";
import { parseArgs } from "node:util";
import { ServingDevice, trustingPair } from "../support/cli_device.ts";
import { temporaryFolder } from "../support/tree.ts";
import { cpuSeconds } from "./process_meter.ts";

const FILES_A_FOLDER = 100;
const FOLDERS_A_FOLDER = 50;
/** Long enough for whatever follows a change: the echo of its own writes, a second look. */
const SETTLE_MS = 3_000;

const { values } = parseArgs({
  options: {
    files: { type: "string", default: "20000,200000" },
    changes: { type: "string", default: "5" },
  },
});

for (const count of values.files.split(",").map(Number)) await measure(count);

async function measure(count: number): Promise<void> {
  using folder = temporaryFolder();
  const [left, right] = [`${folder.path}/left`, `${folder.path}/right`];
  writeFiles(left, count);
  await new Deno.Command("cp", { args: ["-a", left, right] }).output();
  const [a, b] = await trustingPair(folder.path);
  await using server = await b.serve(right);
  const args = ["sync", "b", left, "--watch", "--json", "--address", server.address];
  await using watching = new ServingDevice(a.spawn(args));
  await watching.waitFor(({ event }) => event === "summary", 120_000);
  await pause(SETTLE_MS);
  for (const [name, from, to] of [["there", left, right], ["here", right, left]] as const) {
    const latencies: number[] = [];
    const before = [watching.pid, server.pid].map(cpuSeconds);
    for (let i = 0; i < Number(values.changes); i++) {
      const path = pathOf((i * 7919) % count);
      const text = `change ${i} from ${from}`;
      const startMs = performance.now();
      fs.writeFileSync(`${from}/${path}`, text);
      while (fs.readFileSync(`${to}/${path}`, "utf8") !== text) await pause(2);
      latencies.push(performance.now() - startMs);
      await pause(SETTLE_MS);
    }
    const cpu = [watching.pid, server.pid].map((pid, i) =>
      (cpuSeconds(pid) - before[i]!) / latencies.length
    );
    const sorted = latencies.toSorted((x, y) => x - y).map((ms) => Math.round(ms));
    console.log(
      `${count} files, changed ${name === "there" ? "where sync runs" : "where serve runs"}: ` +
        `there after ${sorted.join(", ")} ms; ` +
        `processor ${cpu.map((seconds) => seconds.toFixed(3)).join(" and ")} s a change`,
    );
  }
}

function writeFiles(root: string, count: number): void {
  const contents = "0123456789".repeat(10);
  // Not racy: as files are that were there before.
  const time = new Date(Date.now() - 3_600_000);
  for (let i = 0; i < count; i++) {
    const path = `${root}/${pathOf(i)}`;
    if (i % FILES_A_FOLDER === 0) {
      fs.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    }
    fs.writeFileSync(path, contents);
    fs.utimesSync(path, time, time);
  }
}

function pathOf(i: number): string {
  const folder = Math.floor(i / FILES_A_FOLDER);
  return `part${Math.floor(folder / FOLDERS_A_FOLDER)}/folder${folder}/file${i}`;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
