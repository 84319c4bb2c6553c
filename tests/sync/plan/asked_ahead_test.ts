import assert from "node:assert/strict";
import type { Digest } from "../../../src/base/digest.ts";
import type { DirPath, RelPath } from "../../../src/base/paths.ts";
import { encodePage, type Entry, shapeOf } from "../../../src/base/tree.ts";
import { ByteWriter } from "../../../src/base/varint.ts";
import type { DigestAnswer, DirAnswer } from "../../../src/protocol/mod.ts";
import { AskedAhead } from "../../../src/sync/plan/asked_ahead.ts";
import type { RemoteShare } from "../../../src/sync/transfer/remote_share.ts";

const dir = (path: string) => path as DirPath;

function pageOf(...names: string[]) {
  const entries = names.map((name): Entry => ({ kind: "link", name, target: "x", mtimeMs: 0 }));
  return encodePage(entries, new ByteWriter());
}

function scene(
  pages: Record<string, ReturnType<typeof pageOf>>,
  former: [string, Digest][],
  sameSize: string[] = [],
) {
  const asked: string[][] = [];
  const remote: Pick<RemoteShare, "getDirs" | "getDigests"> = {
    getDigests(paths) {
      asked.push([...paths]);
      return Promise.resolve(paths.map((path) => path === "gone" ? 1 : digestAnswer));
    },
    getDirs(wanted: readonly { path: DirPath }[]) {
      asked.push(wanted.map(({ path }) => path));
      return Promise.resolve(wanted.map(({ path }) => {
        const page = pages[path];
        return page === undefined ? 1 : { page } as unknown as DirAnswer;
      }));
    },
  };
  const formerShapes = new Map(former.map(([path, shape]) => [dir(path), shape]));
  return { asked, remote, snapshot: { formerShapes, sameSize: sameSize as RelPath[] } };
}

const digestAnswer: DigestAnswer = { size: 1, mtimeMs: 2, digest: new Uint8Array(32) };

const root = pageOf("a");
const sub = pageOf("b");

Deno.test("AskedAhead asks for what has changed here where the peer's tree is as the own one was", async () => {
  const pages = { "": root, sub };
  const former: [string, Digest][] = [["sub", shapeOf(sub)], ["gone", shapeOf(sub)], [
    "",
    shapeOf(root),
  ]];
  const { asked, remote, snapshot } = scene(pages, former);
  const ahead = AskedAhead.ask(snapshot, shapeOf(root), remote);
  assert.deepEqual(asked, [["sub", "gone", ""]]);
  assert.equal((await ahead.takeDir({ path: dir("sub"), shape: shapeOf(sub) }))?.page, sub);
  // Once, and only what it is wanted to be.
  assert.equal(await ahead.takeDir({ path: dir("sub"), shape: shapeOf(sub) }), undefined);
  assert.equal(await ahead.takeDir({ path: dir("gone"), shape: shapeOf(sub) }), undefined);
  assert.equal(await ahead.takeDir({ path: dir("other"), shape: shapeOf(sub) }), undefined);
  assert.equal(await ahead.takeDir({ path: dir(""), shape: shapeOf(sub) }), undefined);
});

Deno.test("AskedAhead asks for nothing where the peer's tree is another, or nothing is remembered", async () => {
  for (const former of [[["", shapeOf(sub)]], []] as [string, Digest][][]) {
    const { asked, remote, snapshot } = scene({ "": root }, former, ["f"]);
    const ahead = AskedAhead.ask(snapshot, shapeOf(root), remote);
    assert.equal(await ahead.takeDir({ path: dir(""), shape: shapeOf(root) }), undefined);
    assert.equal(ahead.hasDigest("f" as RelPath), false);
    assert.deepEqual(asked, []);
  }
});

Deno.test("AskedAhead asks for digests together with the directories", async () => {
  const { asked, remote, snapshot } = scene({ "": root }, [["", shapeOf(root)]], ["f", "gone"]);
  const ahead = AskedAhead.ask(snapshot, shapeOf(root), remote);
  // Before there is any answer.
  assert.deepEqual(asked, [[""], ["f", "gone"]]);
  const [f, gone, other] = ["f", "gone", "other"] as RelPath[];
  assert.deepEqual([f, gone, other].map((path) => ahead.hasDigest(path!)), [true, true, false]);
  assert.equal(await ahead.digest(f!), digestAnswer);
  assert.equal(await ahead.digest(gone!), undefined);
});

Deno.test("AskedAhead hands on why asking failed", async () => {
  const { remote, snapshot } = scene({}, [["", shapeOf(root)]], ["f"]);
  const lost = () => Promise.reject<never>(new Error("connection lost"));
  remote.getDirs = lost;
  remote.getDigests = lost;
  const ahead = AskedAhead.ask(snapshot, shapeOf(root), remote);
  await assert.rejects(ahead.takeDir({ path: dir(""), shape: shapeOf(root) }), /connection lost/);
  await assert.rejects(ahead.digest("f" as RelPath), /connection lost/);
});
