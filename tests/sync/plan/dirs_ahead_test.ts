import assert from "node:assert/strict";
import type { Digest } from "../../../src/base/digest.ts";
import type { DirPath } from "../../../src/base/paths.ts";
import { encodePage, type Entry, shapeOf } from "../../../src/base/tree.ts";
import { ByteWriter } from "../../../src/base/varint.ts";
import type { DirAnswer } from "../../../src/protocol/mod.ts";
import { DirsAhead } from "../../../src/sync/plan/dirs_ahead.ts";
import type { RemoteShare } from "../../../src/sync/transfer/remote_share.ts";

const dir = (path: string) => path as DirPath;

function pageOf(...names: string[]) {
  const entries = names.map((name): Entry => ({ kind: "link", name, target: "x", mtimeMs: 0 }));
  return encodePage(entries, new ByteWriter());
}

function scene(pages: Record<string, ReturnType<typeof pageOf>>, former: [string, Digest][]) {
  const asked: string[][] = [];
  const remote: Pick<RemoteShare, "getDirs"> = {
    getDirs(wanted: readonly { path: DirPath }[]) {
      asked.push(wanted.map(({ path }) => path));
      return Promise.resolve(wanted.map(({ path }) => {
        const page = pages[path];
        return page === undefined ? 1 : { page } as unknown as DirAnswer;
      }));
    },
  };
  const formerShapes = new Map(former.map(([path, shape]) => [dir(path), shape]));
  return { asked, remote, snapshot: { formerShapes } };
}

const root = pageOf("a");
const sub = pageOf("b");

Deno.test("DirsAhead asks for what has changed here where the peer's tree is as the own one was", async () => {
  const pages = { "": root, sub };
  const former: [string, Digest][] = [["sub", shapeOf(sub)], ["gone", shapeOf(sub)], [
    "",
    shapeOf(root),
  ]];
  const { asked, remote, snapshot } = scene(pages, former);
  const ahead = DirsAhead.ask(snapshot, shapeOf(root), remote);
  assert.deepEqual(asked, [["sub", "gone", ""]]);
  assert.equal((await ahead.take({ path: dir("sub"), shape: shapeOf(sub) }))?.page, sub);
  // Once, and only what it is wanted to be.
  assert.equal(await ahead.take({ path: dir("sub"), shape: shapeOf(sub) }), undefined);
  assert.equal(await ahead.take({ path: dir("gone"), shape: shapeOf(sub) }), undefined);
  assert.equal(await ahead.take({ path: dir("other"), shape: shapeOf(sub) }), undefined);
  assert.equal(await ahead.take({ path: dir(""), shape: shapeOf(sub) }), undefined);
});

Deno.test("DirsAhead asks for nothing where the peer's tree is another, or nothing is remembered", async () => {
  for (const former of [[["", shapeOf(sub)]], []] as [string, Digest][][]) {
    const { asked, remote, snapshot } = scene({ "": root }, former);
    const ahead = DirsAhead.ask(snapshot, shapeOf(root), remote);
    assert.equal(await ahead.take({ path: dir(""), shape: shapeOf(root) }), undefined);
    assert.deepEqual(asked, []);
  }
});

Deno.test("DirsAhead hands on why asking failed", async () => {
  const { remote, snapshot } = scene({}, [["", shapeOf(root)]]);
  remote.getDirs = () => Promise.reject(new Error("connection lost"));
  const ahead = DirsAhead.ask(snapshot, shapeOf(root), remote);
  await assert.rejects(ahead.take({ path: dir(""), shape: shapeOf(root) }), /connection lost/);
});
