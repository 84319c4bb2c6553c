/**
 * Runs the tests: `deno task test [FILE|FOLDER]... [FLAG OF DENO TEST]...`.
 *
 * As many processes of `deno test` at once as there are processors, or `LANDROPIC_TEST_JOBS`: much of the time
 * a test waits, for a disk or another process. Where that is more than one, another one is for tests that wait
 * most of the time. Nothing is type-checked, which `deno task check` does.
 * Prints what each process printed once it has ended, and sums up at the end as one `deno test` would.
 */
import { join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { planTests } from "./testing/schedule.ts";
import { readTestOutput, summaryLine } from "./testing/test_output.ts";

const SLOWEST_SHOWN = 10;
/** Has the tests of the files that follow it. */
const GROUP = "scripts/testing/group.ts";
const root = fileURLToPath(new URL("..", import.meta.url));
const isFlag = (arg: string) => arg.startsWith("-");
const flags = Deno.args.filter(isFlag);
const paths = Deno.args.filter((arg) => !isFlag(arg));
const wantedJobs = Number(Deno.env.get("LANDROPIC_TEST_JOBS") ?? navigator.hardwareConcurrency);
const jobs = wantedJobs >= 1 ? wantedJobs : 1;

const startMs = performance.now();
const files = new Set((paths.length > 0 ? paths : ["tests"]).flatMap(testFiles));
const { together, waiting, alone } = planTests([...files]);
const counts = { passed: 0, failed: 0, ignored: 0 };
const failures: string[] = [];
const fileMs: [string, number][] = [];
let isGood = files.size > 0;
// All of them take from the same iterators.
const [busy, idle] = [together.values(), waiting.values()];
const lanes = Array.from({ length: jobs }, () => [busy, idle]);
if (jobs > 1) lanes.push([idle]);
await Promise.all(lanes.map(async (groups) => {
  for (const group of groups) for (const files of group) await run(files);
}));
for (const files of alone) await run(files);

const slowest = fileMs.sort(([, a], [, b]) => b - a).slice(0, SLOWEST_SHOWN);
console.log("\nSlowest files:");
for (const [file, ms] of slowest) console.log(`  ${Math.round(ms / 1000)} s ${file}`);
if (failures.length > 0) console.log(`\n FAILURES \n\n${failures.join("\n")}`);
console.log(`\n${summaryLine(counts, performance.now() - startMs)}`);
Deno.exit(isGood ? 0 : 1);

async function run(files: readonly string[]): Promise<void> {
  const modules = files.length > 1 ? [GROUP, "--", ...files] : files;
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", "--frozen", "--no-check", "--v8-flags=--expose-gc", ...flags, ...modules],
    cwd: root,
    env: Deno.stdout.isTerminal() ? {} : { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  const text = decoder.decode(stdout);
  console.log(text + decoder.decode(stderr));
  if (code !== 0) isGood = false;
  const read = readTestOutput(text);
  if (read === undefined || (code !== 0 && read.failures.length === 0)) {
    // It died, before it could sum up or behind its last test. Whoever reads the places of failures is to find
    // these files too.
    failures.push(...files.map((file) => `the process ended with ${code} => ./${file}:1:1`));
    counts.failed++;
  }
  if (read === undefined) return;
  for (const key of ["passed", "failed", "ignored"] as const) counts[key] += read[key];
  failures.push(...read.failures);
  for (const [file, ms] of read.fileMs) {
    fileMs.push([file === GROUP ? `${files[0]} and ${files.length - 1} more` : file, ms]);
  }
}

/** The test files at a path, in a folder or by itself, by their path below the project's folder. */
function testFiles(path: string): string[] {
  if (!Deno.statSync(path).isDirectory) return [relative(root, resolve(path))];
  return [...Deno.readDirSync(path)].flatMap((entry) => {
    const inside = join(path, entry.name);
    if (entry.isDirectory) return testFiles(inside);
    return entry.name.endsWith("_test.ts") ? [relative(root, resolve(inside))] : [];
  });
}
