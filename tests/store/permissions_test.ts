import assert from "node:assert/strict";
import { IMPLEMENTATIONS } from "./support.ts";

/** An account without rights, which is `nobody` nearly everywhere. */
const NOBODY = 65_534;

/** Runs the script as somebody who is not root; what it prints, or undefined where that can't be. */
async function runUnprivileged(args: string[]): Promise<string | undefined> {
  const denoDir = Deno.makeTempDirSync();
  Deno.chmodSync(denoDir, 0o777);
  try {
    const asRoot = Deno.uid() === 0;
    const script = new URL("./unprivileged.ts", import.meta.url).pathname;
    const deno = ["run", "-A", "--no-check", "--no-lock", "--no-config", script, ...args];
    // setpriv rather than an option of Deno: it also starts a runtime that only root can reach.
    const become = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups", Deno.execPath()];
    const { code, stdout, stderr } = await new Deno.Command(asRoot ? "setpriv" : Deno.execPath(), {
      args: asRoot ? [...become, ...deno] : deno,
      env: { DENO_DIR: denoDir, HOME: denoDir },
    }).output();
    if (code === 0) return new TextDecoder().decode(stdout);
    const text = new TextDecoder().decode(stderr);
    // The runtime or the sources may lie where only root can read.
    if (asRoot && /denied|EACCES/.test(text) && !/AssertionError/.test(text)) return undefined;
    throw new Error(text);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  } finally {
    Deno.removeSync(denoDir, { recursive: true });
  }
}

for (const implementation of IMPLEMENTATIONS) {
  Deno.test({
    name:
      `what may not be written fails alone, and read-only directories of our own are opened [${implementation}]`,
    ignore: Deno.build.os === "windows",
    fn: async () => {
      const path = Deno.makeTempDirSync();
      Deno.chmodSync(path, 0o777);
      // Owned by whoever runs the tests: somebody else only if that is root.
      Deno.mkdirSync(`${path}/foreign`, { mode: 0o755 });
      try {
        const printed = await runUnprivileged([path, implementation]);
        if (printed === undefined) return console.warn("skipped: can't run as another user here");
        assert.deepEqual(JSON.parse(printed), {
          list: "denied",
          read: "denied",
          write: "denied",
          results: [
            "done",
            Deno.uid() === 0 ? "failed: denied" : "done",
            "done",
            "done",
            "done",
            "done",
            "done",
          ],
          modes: ["555", "400", "555", "500", "100", "400"],
        });
      } finally {
        await new Deno.Command("chmod", { args: ["-R", "u+rwx", path] }).output();
        Deno.removeSync(path, { recursive: true });
      }
    },
  });
}
