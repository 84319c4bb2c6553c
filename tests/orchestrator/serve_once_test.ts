/** A server that ends after one session, over QUIC on loopback. */
import assert from "node:assert/strict";
import { encodePage, shapeOf } from "../../src/base/tree.ts";
import { openIndex } from "../../src/index/mod.ts";
import { SyncScene } from "../support/sync_scene.ts";
import { assertSameTree } from "../support/tree.ts";

/** More pages than may pile up before they are worth a look, none of which anything is made of. */
const PAGES = 300;

function orphanPages() {
  return Array.from({ length: PAGES }, (_, size) => {
    const page = encodePage([{ kind: "file", name: "f", mode: 0o644, size, mtimeMs: 0 }]);
    return { shape: shapeOf(page), page };
  });
}

Deno.test("serve --once collects the garbage of its index before it ends", async () => {
  await using scene = await SyncScene.make({ a: "a" }, { b: "b" }, { once: true, lastPauseMs: 50 });
  const { identity: { id } } = scene.b.orchestrator;
  const index = await scene.b.orchestrator.index();
  {
    await using other = await openIndex({ path: index.path, deviceId: id });
    const root = other.openRoot({ path: `${scene.folder.path}/gone`, folderId: "0".repeat(32) });
    root.transaction(() => root.putPages(orphanPages()));
  }
  assert.ok(index.stats().pages >= PAGES);
  await scene.sync({});
  await scene.server.done;
  assert.ok(index.stats().pages < 10, `${index.stats().pages} pages are left`);
  assertSameTree(scene.left, scene.right);
});

Deno.test("serve --once ends though its peer stays behind the session", async () => {
  await using scene = await SyncScene.make({ a: "a" }, {}, { once: true, lastPauseMs: 50 });
  await scene.sync({ mode: "push" });
  // The run has given its connection back, and the pool keeps it.
  assert.equal([...scene.server.visitors].length, 1);
  await scene.server.done;
  assert.equal(scene.ends.length, 1);
});
