import assert from "node:assert/strict";

const FILES = 100_000;
/** For the program, the plan, and the garbage of making it; as objects it took half a gigabyte. */
const HEAP_MIB = 40;
/** With what the program itself takes, and the directories that stay at hand; 40 MB with nothing packed. */
const BYTES_MAX = 23e6;
/** Each has two paths. As objects they took 140 MB. */
const MOVED_BYTES_MAX = 29e6;

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
    assert.ok(
      bytes < (kind === "moved" ? MOVED_BYTES_MAX : BYTES_MAX),
      `${(bytes / 1e6).toFixed(1)} MB are kept`,
    );
  });
}
