import assert from "node:assert/strict";
import { LandropicError } from "../../src/base/errors.ts";
import { lockFolder } from "../../src/store/mod.ts";

function withLockFile(name: string, run: (path: string) => Promise<void>): void {
  Deno.test(name, async () => {
    const dir = Deno.makeTempDirSync();
    try {
      await run(`${dir}/lock`);
    } finally {
      Deno.removeSync(dir, { recursive: true });
    }
  });
}

const exclusive = { mode: "exclusive", activity: "test" } as const;
const shared = { mode: "shared", activity: "test" } as const;

withLockFile(
  "lockFolder() lets shared locks in together and exclusive ones alone",
  async (path) => {
    const one = await lockFolder(path, shared);
    const two = await lockFolder(path, shared);
    await assert.rejects(lockFolder(path, exclusive), { code: "locked" });
    one[Symbol.dispose]();
    await assert.rejects(lockFolder(path, exclusive), { code: "locked" });
    two[Symbol.dispose]();
    two[Symbol.dispose]();
    using _ = await lockFolder(path, exclusive);
    await assert.rejects(lockFolder(path, shared), { code: "locked" });
  },
);

withLockFile("lockFolder() names the folder, and who uses it", async (path) => {
  using _ = await lockFolder(path, exclusive);
  await assert.rejects(lockFolder(path, { ...exclusive, folder: "/srv/photos" }), (error) => {
    const { pid } = Deno;
    return (error as Error).message.startsWith(
      `Cannot lock folder "/srv/photos": process ${pid} holds it`,
    );
  });
});

withLockFile("lockFolder() waits until the lock is free", async (path) => {
  const first = await lockFolder(path, exclusive);
  const second = lockFolder(path, { ...exclusive, waitMs: 60_000 });
  setTimeout(() => first[Symbol.dispose](), 10);
  using lock = await second;
  assert.ok(lock.held);
  assert.ok(!first.held);
});

withLockFile("lockFolder() stops waiting when told", async (path) => {
  using _ = await lockFolder(path, exclusive);
  const reason = new Error("interrupted");
  const controller = new AbortController();
  setTimeout(() => controller.abort(reason), 10);
  const waiting = lockFolder(path, { ...exclusive, waitMs: 60_000, signal: controller.signal });
  await assert.rejects(waiting, reason);
});

withLockFile("lockFolder() is free again once its holder was killed", async (path) => {
  const module = new URL("../../src/store/folder_lock.ts", import.meta.url).href;
  const code = `import { lockFolder } from ${JSON.stringify(module)};
    await lockFolder(${JSON.stringify(path)}, { mode: "exclusive", activity: "child" });
    console.log("locked");
    setInterval(() => {}, 1000);`;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-check", code],
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  await reader.read();
  await assert.rejects(lockFolder(path, exclusive), (error: LandropicError) => {
    assert.equal(error.code, "locked");
    assert.match(error.message, new RegExp(`process ${child.pid} holds it \\(child\\)`));
    return true;
  });
  child.kill("SIGKILL");
  await child.status;
  await reader.cancel();
  using lock = await lockFolder(path, { ...exclusive, waitMs: 5000 });
  assert.ok(lock.held);
});

withLockFile("lockFolder() says why it can't open its file", async (path) => {
  await assert.rejects(lockFolder(`${path}/no/such/folder`, exclusive), { code: "storage" });
});
