/**
 * `deno task bench [--quick] [NAMES…]`: how long landropic takes for everyday work, and what else it
 * uses, beside rsync and tar through ssh in the same run where they are installed. Real processes, both
 * ends on this machine, in memory where there is room. NAMES pick workloads: large, text, small, tree,
 * many, and million, which only runs where it is named: a million small files, 25 GB of memory or disk.
 *
 * Options: `--quick` an eighth of the size, once; `--runs 3`; `--tools landropic,rsync,…`; `--net
 * loopback|lan1g|wan|lossy` (network namespaces, needs root); `--json` one line a step and tool.
 */
import { statfsSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type NetProfile, parseNetProfile } from "../support/netlab/netlab.ts";
import { findDifference } from "./compare_trees.ts";
import { landropic } from "./landropic_tool.ts";
import { childrenCpuSeconds, cpuSeconds, MemoryWatch } from "./process_meter.ts";
import { type Figures, formatTable, type Row } from "./report.ts";
import { Site } from "./site.ts";
import { SSH_TOOLS } from "./ssh_tools.ts";
import type { OpenTool, Tool } from "./tool.ts";
import { type Workload, workloads } from "./workloads.ts";

const QUICK_DIVISOR = 8;
/** How long the server's processes get to end after the client's. */
const SETTLE_MS = 150;
/** Source and target, and some room. */
const ROOM_FACTOR = 3;
const MEMORY_FOLDER = "/dev/shm";

interface Plan {
  readonly workloads: readonly Workload[];
  readonly tools: readonly Tool[];
  readonly runs: number;
  readonly net: NetProfile | undefined;
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      quick: { type: "boolean", default: false },
      runs: { type: "string" },
      tools: { type: "string" },
      net: { type: "string" },
      json: { type: "boolean", default: false },
    },
  });
  const rows = await measureAll({
    workloads: chosen(workloads(values.quick ? QUICK_DIVISOR : 1), positionals),
    tools: await usable(pick([landropic, ...SSH_TOOLS], values.tools?.split(",") ?? [])),
    runs: Number(values.runs ?? (values.quick ? 1 : 3)),
    net: values.net === undefined ? undefined : parseNetProfile(values.net),
  });
  if (values.json) { for (const row of rows) console.log(JSON.stringify(row)); }
  else console.log(formatTable(rows));
}

function pick<T extends { readonly name: string }>(all: readonly T[], names: string[]): T[] {
  const unknown = names.find((name) => !all.some((each) => each.name.startsWith(name)));
  if (unknown !== undefined) {
    throw new Error(`"${unknown}" is none of ${all.map((each) => each.name).join(", ")}`);
  }
  return all.filter((each) =>
    names.length === 0 || names.some((name) => each.name.startsWith(name))
  );
}

function chosen(all: readonly Workload[], names: string[]): Workload[] {
  return pick(all, names).filter(({ isByNameOnly }) => names.length > 0 || !isByNameOnly);
}

async function usable(tools: readonly Tool[]): Promise<Tool[]> {
  const found: Tool[] = [];
  for (const tool of tools) {
    const obstacle = await tool.obstacle();
    if (obstacle === undefined) found.push(tool);
    else console.error(`${tool.name} is skipped: ${obstacle}`);
  }
  return found;
}

async function measureAll({ workloads, tools, runs, net }: Plan): Promise<Row[]> {
  await using site = await Site.open(net);
  const rows: Row[] = [];
  for (const workload of workloads) {
    const figures = new Map<string, Figures[]>();
    for (let run = 0; run < runs; run++) {
      // In turns, so that a busy moment of the machine does not hit one tool alone.
      for (const tool of tools) {
        console.error(`${workload.name}, run ${run + 1} of ${runs}: ${tool.name}`);
        await series(workload, tool, site, (step, taken) => {
          const key = `${step}\n${tool.name}`;
          figures.set(key, [...figures.get(key) ?? [], taken]);
        });
      }
    }
    for (const step of workload.steps) {
      for (const tool of tools) {
        const measured = figures.get(`${step.name}\n${tool.name}`);
        if (measured === undefined) continue;
        const { bytes, bars } = step;
        const names = { workload: workload.name, step: step.name, tool: tool.name };
        rows.push({ ...names, runs: measured, bytes, bar: bars?.[net ?? "loopback"] });
      }
    }
  }
  return rows;
}

/** One tool through all steps of a workload, on fresh folders. */
async function series(
  workload: Workload,
  tool: Tool,
  site: Site,
  onStep: (name: string, figures: Figures) => void,
): Promise<void> {
  const work = makeWorkFolder(workload.bytes * ROOM_FACTOR);
  try {
    const place = {
      site,
      source: join(work, "source"),
      target: join(work, "target"),
      scratch: join(work, "scratch"),
    };
    Deno.mkdirSync(place.source);
    Deno.mkdirSync(place.scratch);
    await using open = await tool.open(place);
    for (const step of workload.steps) {
      step.apply(place.source);
      if (!tool.suits(workload, step)) continue;
      const figures = await measure(open, site);
      const difference = findDifference(place.source, place.target);
      if (difference !== undefined) throw new Error(`${tool.name} did not copy ${difference}`);
      onStep(step.name, figures);
    }
  } finally {
    Deno.removeSync(work, { recursive: true });
  }
}

async function measure(tool: OpenTool, site: Site): Promise<Figures> {
  const wireBefore = await site.wireBytes();
  const cpuBefore = [childrenCpuSeconds(), cpuSeconds(tool.serverPid)] as const;
  using serverWatch = new MemoryWatch(tool.serverPid);
  const startMs = performance.now();
  const child = tool.command.spawn();
  using clientWatch = new MemoryWatch(child.pid);
  const { code, stdout, stderr } = await child.output();
  const seconds = (performance.now() - startMs) / 1000;
  const clientCpu = childrenCpuSeconds() - cpuBefore[0];
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  serverWatch.look();
  const serverCpu = cpuSeconds(tool.serverPid) - cpuBefore[1];
  const decoder = new TextDecoder();
  if (code !== 0) throw new Error(`ended with ${code}: ${decoder.decode(stderr)}`);
  const onWire = await site.wireBytes() - wireBefore;
  return {
    seconds,
    clientCpu,
    serverCpu,
    wireBytes: Number.isNaN(onWire) ? tool.wireBytes?.(decoder.decode(stdout)) ?? NaN : onWire,
    clientMemory: clientWatch.peakBytes,
    serverMemory: serverWatch.peakBytes,
  };
}

/** In memory where that has room, so that the disk is not what is measured. */
function makeWorkFolder(bytes: number): string {
  try {
    const { bsize, bavail } = statfsSync(MEMORY_FOLDER);
    if (bsize * bavail > bytes) {
      return Deno.makeTempDirSync({ dir: MEMORY_FOLDER, prefix: "landropic-bench-" });
    }
  } catch {
    // Not Linux.
  }
  return Deno.makeTempDirSync({ prefix: "landropic-bench-" });
}
