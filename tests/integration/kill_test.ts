import assert from "node:assert/strict";
import * as fs from "node:fs";
import { join } from "node:path";
import type { DeviceId } from "../../src/base/ids.ts";
import { type CliDevice, type ServingDevice, trustingPair } from "../support/cli_device.ts";
import { mortal, stopWith } from "../support/mortal.ts";
import { runSession } from "../support/session_pair.ts";
import type { TestDevice } from "../support/test_device.ts";
import { assertSameTree, temporaryFolder, type TreeSpec, writeTree } from "../support/tree.ts";

/** Every single point instead of a few of each step: a quarter of an hour. */
const IS_SOAK = Deno.env.has("LANDROPIC_SOAK");
const CASES_MAX = IS_SOAK ? 200 : 20;
const OLD_MS = 1_700_000_000_123;
const NEW_MS = 1_700_000_900_456;
/** At folders that a process still works on. */
const LOOKS_MAX = 100;

type Mode = "push" | "pull" | "two-way";
type Victim = "sync" | "serve";

const BEFORE: TreeSpec = {
  kept: "kept",
  replaced: "old replaced",
  "replaced too": "old replaced too",
  removed: "removed",
  contested: "old contested",
  "to rename": "a name is all that changes\n".repeat(2000),
  "was file": "old was file",
  "was dir": { inside: "old inside" },
  deep: { er: { kept: "kept", removed: "removed deep" } },
};

/** One folder on each device, in step, with changes that the next sync has to bring over. */
interface Case {
  readonly share: string;
  readonly left: string;
  readonly right: string;
}

/** What somebody did to a folder since the last sync: half of it, or all. */
function edit(folder: string, half: 1 | 2 | "all"): void {
  const at = (name: string) => join(folder, name);
  if (half !== 2) {
    writeTree(folder, { replaced: "new replaced", made: { inside: "made" } }, NEW_MS);
    fs.rmSync(at("removed"));
    fs.renameSync(at("to rename"), at("deep/renamed"));
    fs.rmSync(at("was dir"), { recursive: true });
    writeTree(folder, { "was dir": "now a file" }, NEW_MS);
  }
  if (half !== 1) {
    writeTree(folder, { "replaced too": "new replaced too", large: "x".repeat(300_000) }, NEW_MS);
    fs.rmSync(at("deep/er/removed"));
    fs.rmSync(at("was file"));
    writeTree(folder, { "was file": { inside: "now a folder" } }, NEW_MS);
    fs.symlinkSync("kept", at("link"));
  }
  writeTree(folder, { contested: `contested ${half}` }, half === 2 ? NEW_MS + 5000 : NEW_MS);
}

/** Every text in a folder; what landropic keeps in its own folder too if wanted. */
function texts(folder: string, withOwn: boolean): Set<string> {
  const found = new Set<string>();
  for (const entry of fs.readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const isOwn = path.startsWith(join(folder, ".landropic"));
    if (entry.isFile() && (withOwn || !isOwn)) found.add(fs.readFileSync(path, "utf8"));
  }
  return found;
}

/** Texts that nobody has deleted or replaced knowingly: they may never be missing on both sides. */
const WANTED = [
  "kept",
  "new replaced",
  "new replaced too",
  "made",
  "now a file",
  "now a folder",
  "x".repeat(300_000),
  BEFORE["to rename"] as string,
];

async function assertNothingLost(
  { left, right }: Case,
  mode: Mode,
  victim: Victim,
): Promise<void> {
  const wanted = mode === "two-way"
    ? [...WANTED, "contested 1", "contested 2"]
    : [...WANTED, "contested all"];
  for (let looks = 1;; looks++) {
    try {
      const found = new Set([...texts(left, true), ...texts(right, true)]);
      for (const text of wanted) assert.ok(found.has(text), `${text.slice(0, 30)} is lost`);
      return;
    } catch (error) {
      // A server that lives goes on with what has arrived: what it renames meanwhile one look may miss.
      if (victim === "serve" || looks === LOOKS_MAX) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** What must be there in the end, whatever was killed on the way. */
function assertOutcome({ left, right }: Case, mode: Mode): void {
  assertSameTree(right, left);
  const found = texts(left, false);
  const wanted = mode === "two-way"
    ? [...WANTED, "contested 1", "contested 2"]
    : [...WANTED, "contested all"];
  assert.deepEqual([...found].sort(), [...wanted].sort());
  assert.equal(fs.readFileSync(join(left, "deep/renamed"), "utf8"), BEFORE["to rename"]);
  for (const folder of [left, right]) {
    const tmp = join(folder, ".landropic/tmp");
    assert.deepEqual(fs.existsSync(tmp) ? fs.readdirSync(tmp) : [], [], "temporary files are left");
  }
}

/** Two devices, one of which serves a folder for each case all the time. */
class Bench implements AsyncDisposable {
  #cases = 0;

  private constructor(
    readonly folder: string,
    readonly a: CliDevice,
    readonly b: CliDevice,
    readonly server: ServingDevice,
  ) {}

  static async set(folder: string): Promise<Bench> {
    const [a, b] = await trustingPair(folder);
    const shares = Array.from({ length: CASES_MAX }, (_, n) => {
      fs.mkdirSync(join(folder, `right${n}`));
      return ["--share", `case${n}=${join(folder, `right${n}`)}`];
    });
    return new Bench(folder, a, b, await b.serve(...shares.flat()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
  }

  /** Two folders in step that differ again. */
  async prepare(mode: Mode): Promise<Case> {
    const number = this.#cases++;
    const left = join(this.folder, `left${number}`);
    const right = join(this.folder, `right${number}`);
    const found = { share: `case${number}`, left, right };
    writeTree(left, BEFORE, OLD_MS);
    // The first by the command, which makes what a device has; the others need not take as long.
    if (number === 0) await this.a.succeed(...syncArgs(found, "two-way", this.server));
    else await this.#bringIntoStep(left, right);
    assertSameTree(right, left);
    if (mode !== "pull") edit(left, mode === "push" ? "all" : 1);
    if (mode !== "push") edit(right, mode === "pull" ? "all" : 2);
    return found;
  }

  /** As the command would, in this process. */
  async #bringIntoStep(left: string, right: string): Promise<void> {
    const [a, b] = [await testDeviceOf(this.a), await testDeviceOf(this.b)];
    await runSession(a, left, b, right, { mode: "two-way" });
  }

  /** Syncs once, with one side mortal; tells what points it passed. */
  async strike(on: Case, mode: Mode, victim: Victim, dieAt: number): Promise<string[]> {
    const log = join(this.folder, `${on.share}.log`);
    fs.writeFileSync(log, "");
    const dying = mortal({ log, dieAt });
    const other = victim === "serve" ? await this.b.serveWith(dying, ...shareArgs(on)) : undefined;
    await using server = other;
    const args = syncArgs(on, mode, server ?? this.server);
    const sync = this.a.spawn(args, victim === "sync" ? dying : {});
    if (server !== undefined && dieAt >= 0) stopWith(server, sync);
    const { code, stderr } = await sync.output();
    const said = new TextDecoder().decode(stderr);
    if (dieAt < 0) assert.ok(code === 0 || code === 4, said);
    return fs.readFileSync(log, "utf8").split("\n").slice(0, -1);
  }

  /** Whoever was killed is started again, and they sync. */
  async recover(on: Case, mode: Mode, victim: Victim): Promise<void> {
    const other = victim === "serve" ? await this.b.serve(...shareArgs(on)) : undefined;
    await using server = other;
    const args = syncArgs(on, mode, server ?? this.server);
    const { code, events, stderr } = await this.a.run(...args);
    assert.ok(
      code === 0 || (mode === "two-way" && code === 4),
      `ended with ${code}: ${stderr}${JSON.stringify(events)}`,
    );
    assert.equal(events.at(-1)!["errors"], 0);
  }
}

async function testDeviceOf(device: CliDevice): Promise<TestDevice> {
  return { home: device.home, id: await device.id() as DeviceId };
}

function shareArgs({ share, right }: Case): string[] {
  return ["--share", `${share}=${right}`];
}

function syncArgs({ share, left }: Case, mode: Mode, { address }: ServingDevice): string[] {
  const direction = mode === "two-way" ? [] : [`--${mode}`, "--delete"];
  const args = ["sync", `b:${share}`, left, ...direction, "--max-delete", "50"];
  return [...args, "--address", address, "--json"];
}

/** The points to die at: of each step the first, of some more; in a soak every single one. */
function chosen(points: readonly string[]): number[] {
  const all = points.map((_, at) => at);
  if (IS_SOAK) return all;
  const of = (step: string) => all.filter((at) => points[at]!.startsWith(step));
  const firsts = ["stage", "flush", "dirs", "index", "tell"].map((step) => of(step).at(0));
  const changes = of("change");
  const picked = [...firsts, changes[changes.length >> 1], of("index").at(-1)];
  return picked.filter((at) => at !== undefined).sort((a, b) => a - b);
}

for (const mode of ["push", "pull", "two-way"] as const) {
  for (const victim of ["sync", "serve"] as const) {
    Deno.test({
      name: `a ${victim} of a ${mode} that is killed at any step loses and deletes nothing`,
      ignore: Deno.build.os !== "linux",
      fn: async () => {
        using temporary = temporaryFolder();
        await using bench = await Bench.set(temporary.path);
        const whole = await bench.prepare(mode);
        const points = await bench.strike(whole, mode, victim, -1);
        assertOutcome(whole, mode);
        for (const dieAt of chosen(points)) {
          const each = await bench.prepare(mode);
          const passed = await bench.strike(each, mode, victim, dieAt);
          assert.equal(passed.length, dieAt + 1, "it died where it should");
          try {
            await assertNothingLost(each, mode, victim);
            await bench.recover(each, mode, victim);
            assertOutcome(each, mode);
          } catch (error) {
            throw new Error(`killed at ${dieAt}, ${passed.at(-1)}`, { cause: error });
          }
        }
      },
    });
  }
}
