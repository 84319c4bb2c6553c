/** What `deno test` prints, read and summed up. */

/** What one process, or all of them, came to. */
export interface TestCounts {
  readonly passed: number;
  readonly failed: number;
  readonly ignored: number;
}

/** What one process of `deno test` tells with its output. */
export interface TestOutput extends TestCounts {
  /** The names and places of tests that failed, as printed. */
  readonly failures: readonly string[];
  /** Milliseconds that the tests of each file took, without loading it. */
  readonly fileMs: ReadonlyMap<string, number>;
}

/** Reads the output of one process; undefined if it ended before it could sum up. */
export function readTestOutput(text: string): TestOutput | undefined {
  // deno-lint-ignore no-control-regex
  const lines = text.replaceAll(/\x1b\[[0-9;]*m/g, "").split("\n");
  const summary = lines.map((line) => SUMMARY.exec(line)).findLast((match) => match !== null);
  if (summary === undefined) return undefined;
  const [passed, failed] = [Number(summary[1]), Number(summary[2])];
  const ignored = Number(/\| (\d+) ignored/.exec(summary[0])?.[1] ?? 0);
  const head = lines.findLastIndex((line) => line.trim() === "FAILURES");
  const failures = head < 0 ? [] : lines.slice(head + 1, lines.indexOf(summary[0]))
    .filter((line) => line.trim() !== "").map(withPlace);
  return { passed, failed, ignored, failures, fileMs: readFileMs(lines) };
}

/** The line that `deno test` ends with, for the sum of several. */
export function summaryLine({ passed, failed, ignored }: TestCounts, ms: number): string {
  const more = ignored > 0 ? ` | ${ignored} ignored` : "";
  const seconds = Math.round(ms / 1000);
  const time = seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`;
  return `${failed > 0 ? "FAILED" : "ok"} | ${passed} passed | ${failed} failed${more} (${time})`;
}

/** A file that failed outside of its tests is named without a place; who looks for places is to find it too. */
function withPlace(failure: string): string {
  const file = /^(\.\/.+) \(uncaught error\)$/.exec(failure)?.[1];
  return file === undefined ? failure : `${failure} => ${file}:1:1`;
}

function readFileMs(lines: readonly string[]): Map<string, number> {
  const fileMs = new Map<string, number>();
  let file: string | undefined;
  for (const line of lines) {
    const head = /^running \d+ tests? from (?:\.\/)?(.+)$/.exec(line)?.[1];
    if (head !== undefined) fileMs.set(file = head, 0);
    const time = TEST_END.exec(line);
    if (time === null || file === undefined) continue;
    const [minutes, seconds, ms] = time.slice(1).map((text) => Number(text ?? 0));
    fileMs.set(file, fileMs.get(file)! + minutes! * 60_000 + seconds! * 1000 + ms!);
  }
  return fileMs;
}

/** On a line of its own where the test, or Deno about it, has printed something. */
const TEST_END = /(?:^ |(?:\.\.\.|-----) ?)(?:ok|FAILED).* \((?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?\)$/;
const SUMMARY = /^(?:ok|FAILED) \| (\d+) passed[^|]*\| (\d+) failed.*$/;
