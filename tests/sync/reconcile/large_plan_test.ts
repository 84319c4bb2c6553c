import assert from "node:assert/strict";

const FILES = 100_000;
/** For the program, the plan, and the garbage of making it; as objects it took half a gigabyte. */
const HEAP_MIB = 40;
/**
 * Before there are operations, with what the program itself takes, the directories that stay at hand, and the
 * digests that are needed; 3 MB more with those that only had to be compared. What moved one by one takes 60
 * bytes each here.
 */
const WALKED_BYTES_MAX = 17.5e6;
const MOVED_WALKED_BYTES_MAX = 36e6;
/** With the plan; 40 MB with nothing packed. */
const PLANNED_BYTES_MAX = 20e6;
/** Each has two paths. As objects they took 140 MB. */
const MOVED_PLANNED_BYTES_MAX = 26e6;
/** More than that, with all pages to be remembered; 3.7 MB with nothing packed. */
const SETTLED_BYTES_MAX = 3.2e6;

for (const kind of ["new", "modified", "touched", "moved", "deleted"] as const) {
  Deno.test(`a plan for ${FILES} ${kind} files is made and settled in ${HEAP_MIB} MiB of heap`, async () => {
    const program = new URL("./large_plan.ts", import.meta.url).pathname;
    const flags = `--v8-flags=--expose-gc,--max-old-space-size=${HEAP_MIB}`;
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", "--frozen", flags, program, kind, `${FILES}`],
    }).output();
    assert.ok(success, new TextDecoder().decode(stderr));
    const { operations, lines, settled, bytes } = JSON.parse(new TextDecoder().decode(stdout));
    // Directories are operations too.
    assert.ok(operations >= FILES && lines >= FILES);
    assert.ok(kind === "deleted" ? settled === 0 : settled >= FILES);
    const isMoved = kind === "moved";
    assertBelow(bytes.walked, isMoved ? MOVED_WALKED_BYTES_MAX : WALKED_BYTES_MAX);
    assertBelow(bytes.planned, isMoved ? MOVED_PLANNED_BYTES_MAX : PLANNED_BYTES_MAX);
    assertBelow(bytes.settled - bytes.planned, SETTLED_BYTES_MAX);
  });
}

function assertBelow(bytes: number, max: number): void {
  assert.ok(bytes < max, `${(bytes / 1e6).toFixed(1)} MB are kept, not ${max / 1e6}`);
}
