import assert from "node:assert/strict";

/** Whether file systems can be mounted here: as root on Linux, outside most containers. */
export const canMount: boolean = await tryToMount();

/** A file system in memory, mounted at a folder. Its end fails the test if a descriptor is still open. */
export class SmallDisk implements AsyncDisposable {
  private constructor(readonly path: string) {}

  /** @param options Such as `size=14m`. */
  static async mount(path: string, options: string): Promise<SmallDisk> {
    assert.ok(await run("mount", "-t", "tmpfs", "-o", options, "none", path));
    return new SmallDisk(path);
  }

  /** Changes its options, such as its size. */
  async remount(options: string): Promise<void> {
    assert.ok(await run("mount", "-o", `remount,${options}`, this.path));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    assert.ok(await run("umount", this.path), "a descriptor is still open");
  }
}

async function tryToMount(): Promise<boolean> {
  if (Deno.build.os !== "linux" || Deno.uid() !== 0) return false;
  const dir = Deno.makeTempDirSync();
  const mounted = await run("mount", "-t", "tmpfs", "-o", "size=64k", "none", dir);
  if (mounted) await run("umount", dir);
  Deno.removeSync(dir);
  return mounted;
}

async function run(command: string, ...args: string[]): Promise<boolean> {
  try {
    return (await new Deno.Command(command, { args, stderr: "null" }).output()).success;
  } catch {
    return false;
  }
}
