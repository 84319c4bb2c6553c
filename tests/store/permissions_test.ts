import assert from "node:assert/strict";
import { IMPLEMENTATIONS } from "./support.ts";

/** An account without rights, which is `nobody` nearly everywhere. */
const NOBODY = 65_534;

/** Runs the script as somebody who is not root; what it prints, or undefined where that can't be. */
async function runUnprivileged(args: string[]): Promise<string | undefined> {
  const script = new URL("./unprivileged.ts", import.meta.url).pathname;
  const denoDir = Deno.makeTempDirSync();
  Deno.chmodSync(denoDir, 0o777);
  try {
    const asRoot = Deno.uid() === 0;
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", "--no-lock", "--no-config", script, ...args],
      env: { DENO_DIR: denoDir, HOME: denoDir },
      ...(asRoot ? { uid: NOBODY, gid: NOBODY } : {}),
    }).output();
    if (code === 0) return new TextDecoder().decode(stdout);
    const text = new TextDecoder().decode(stderr);
    // The runtime or the sources may lie where only root can read.
    if (asRoot && /denied|EACCES/.test(text) && !/AssertionError/.test(text)) return undefined;
    throw new Error(text);
  } catch (error) {
    if (error instanceof Deno.errors.PermissionDenied) return undefined;
    throw error;
  } finally {
    Deno.removeSync(denoDir, { recursive: true });
  }
}

for (const implementation of IMPLEMENTATIONS) {
  Deno.test({
    name: `what may not be read or written fails alone [${implementation}]`,
    ignore: Deno.build.os === "windows",
    fn: async () => {
      const path = Deno.makeTempDirSync();
      Deno.chmodSync(path, 0o777);
      try {
        const printed = await runUnprivileged([path, implementation]);
        if (printed === undefined) return console.warn("skipped: can't run as another user here");
        assert.deepEqual(JSON.parse(printed), {
          list: "denied",
          read: "denied",
          write: "denied",
          good: "done",
          belowReadOnly: "failed: denied",
          mode: 0o400,
        });
      } finally {
        await new Deno.Command("chmod", { args: ["-R", "u+rwx", path] }).output();
        Deno.removeSync(path, { recursive: true });
      }
    },
  });
}
