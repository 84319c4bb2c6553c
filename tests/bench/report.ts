import type { Bar } from "./workloads.ts";

/** What one run took. NaN stands for what could not be measured. */
export interface Figures {
  readonly seconds: number;
  /** Processor seconds of the side that started the run, and of the server's. */
  readonly clientCpu: number;
  readonly serverCpu: number;
  /** Bytes that crossed the link both ways. */
  readonly wireBytes: number;
  /** Most memory in use at once, in bytes. */
  readonly clientMemory: number;
  readonly serverMemory: number;
}

/** The runs of one step by one tool. */
export interface Row {
  readonly workload: string;
  readonly step: string;
  readonly tool: string;
  readonly runs: readonly Figures[];
  /** File bytes of the step, where a rate is worth showing. */
  readonly bytes?: number | undefined;
  readonly bar?: Bar | undefined;
}

const COLUMNS = ["tool", "time", "rate", "CPU a+b", "wire", "memory a/b", ""] as const;

/** Medians, one table a workload. */
export function formatTable(rows: readonly Row[]): string {
  const lines: string[] = [];
  for (const [title, group] of Map.groupBy(rows, (row) => `${row.workload}: ${row.step}`)) {
    const rsync = group!.findLast(({ tool }) => tool.startsWith("rsync"));
    const rsyncSeconds = rsync && medians(rsync.runs).seconds;
    const cells = [COLUMNS, ...group!.map((row) => cellsOf(row, rsyncSeconds))];
    const widths = COLUMNS.map((_, i) => Math.max(...cells.map((row) => row[i]!.length)));
    lines.push(title);
    for (const row of cells) {
      const padded = row.map((cell, i) =>
        i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)
      );
      lines.push(`  ${padded.join("  ")}`.trimEnd());
    }
    lines.push("");
  }
  return lines.join("\n");
}

/** The median of each figure by itself. */
export function medians(runs: readonly Figures[]): Figures {
  const of = (pick: (run: Figures) => number) => median(runs.map(pick));
  return {
    seconds: of((run) => run.seconds),
    clientCpu: of((run) => run.clientCpu),
    serverCpu: of((run) => run.serverCpu),
    wireBytes: of((run) => run.wireBytes),
    clientMemory: of((run) => run.clientMemory),
    serverMemory: of((run) => run.serverMemory),
  };
}

/** @param rsyncSeconds What rsync took in the same run, by its fastest cipher. */
function cellsOf({ tool, runs, bytes, bar }: Row, rsyncSeconds: number | undefined): string[] {
  const figures = medians(runs);
  return [
    tool,
    `${figures.seconds.toFixed(2)} s`,
    bytes === undefined ? "" : `${(bytes / figures.seconds / 1e6).toFixed(0)} MB/s`,
    `${figures.clientCpu.toFixed(2)}+${figures.serverCpu.toFixed(2)} s`,
    bytesText(figures.wireBytes),
    `${bytesText(figures.clientMemory)} / ${bytesText(figures.serverMemory)}`,
    tool === "landropic" && bar !== undefined ? verdict(figures, bar, rsyncSeconds) : "",
  ];
}

function verdict(figures: Figures, bar: Bar, rsyncSeconds: number | undefined): string {
  const { seconds, wireBytes } = bar;
  const over: string[] = [];
  if (seconds !== undefined && figures.seconds > seconds) {
    over.push(`${seconds.toFixed(2)} s${besideRsync(figures.seconds, bar, rsyncSeconds)}`);
  }
  if (wireBytes !== undefined && figures.wireBytes > wireBytes) over.push(bytesText(wireBytes));
  return over.length === 0 ? "within the bar" : `over ${over.join(" and ")}`;
}

/** What the time is of rsync's, and what the bar was: tells a slow machine from a slow program. */
function besideRsync(
  seconds: number,
  { seconds: barSeconds, rsyncSeconds: barRsyncSeconds }: Bar,
  rsyncSeconds: number | undefined,
): string {
  if (rsyncSeconds === undefined || barRsyncSeconds === undefined) return "";
  const asked = barSeconds! / barRsyncSeconds;
  const ratio = seconds / rsyncSeconds;
  const relation = ratio <= asked ? "within" : "over";
  return ` (${ratio.toFixed(2)} of rsync: ${relation} the bar's ${asked.toFixed(2)})`;
}

function bytesText(bytes: number): string {
  if (Number.isNaN(bytes)) return "?";
  if (bytes < 10e3) return `${Math.round(bytes)} B`;
  return bytes < 1e6 ? `${Math.round(bytes / 1e3)} KB` : `${Math.round(bytes / 1e6)} MB`;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!;
}
