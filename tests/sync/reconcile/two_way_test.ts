import assert from "node:assert/strict";
import { Device, lines, picture, planFor, sync, Users } from "./model.ts";

/** Two devices that hold the same and remember it. */
function pair(...files: string[]) {
  const users = new Users();
  const [a, b] = [new Device("a"), new Device("b")];
  for (const path of files) {
    if (path.endsWith("/")) users.mkdir(a, path.slice(0, -1));
    else users.write(a, path);
  }
  sync(a, b);
  assert.deepEqual(picture(a), picture(b));
  return { users, a, b };
}

function contentOf(device: Device, path: string): string | undefined {
  const node = device.nodes.get(path);
  return node?.kind === "file" ? node.content : undefined;
}

Deno.test("Reconciler asks for nothing and plans nothing where the roots are equal", () => {
  const { a, b } = pair("d/", "d/x", "y");
  const { plan, rounds } = planFor(a, b);
  assert.equal(rounds, 0);
  assert.deepEqual(lines(plan), []);
});

Deno.test("Reconciler fetches only directories that differ, one level in one round", () => {
  const { users, a, b } = pair("d/", "d/e/", "d/e/x", "f/", "f/g/", "f/g/y", "same/", "same/z");
  users.write(b, "d/e/x");
  users.write(b, "f/g/y");
  const { plan, rounds, dirsFetched } = planFor(a, b);
  assert.deepEqual(lines(plan), ["M<f d/e/x", "M<f f/g/y"]);
  assert.equal(dirsFetched, 5, "root, d, f, d/e, f/g");
  assert.equal(rounds, 4, "three levels, and the digests of pairs of equal size");
});

Deno.test("Reconciler joins two folders without a common past and deletes nothing", () => {
  const users = new Users();
  const [a, b] = [new Device("a"), new Device("b")];
  users.write(a, "only-a");
  users.mkdir(b, "d");
  users.write(b, "d/only-b");
  users.mkdir(a, "empty");
  const { plan } = sync(a, b);
  assert.deepEqual(lines(plan), ["+<d d", "+<f d/only-b", "+>d empty", "+>f only-a"]);
  assert.deepEqual(picture(a), picture(b));
});

Deno.test("Reconciler carries edits, deletions and new files both ways", () => {
  const { users, a, b } = pair("edit-a", "edit-b", "gone-a", "gone-b", "d/", "d/x");
  users.write(a, "edit-a");
  users.write(b, "edit-b", "longer than what was there before");
  users.remove(a, "gone-a");
  users.remove(b, "gone-b");
  users.remove(b, "d");
  users.write(a, "new-a");
  const { plan } = sync(a, b);
  assert.deepEqual(lines(plan), [
    "-<d d",
    "-<f d/x",
    "M>f edit-a",
    "M<f edit-b",
    "->f gone-a",
    "-<f gone-b",
    "+>f new-a",
  ]);
  assert.deepEqual(plan.deletions, { local: 2, remote: 1 });
  assert.deepEqual(picture(a), picture(b));
});

Deno.test("Reconciler lets an edit beat a deletion, and brings its directories back", () => {
  const { users, a, b } = pair("d/", "d/e/", "d/e/edited", "d/e/not", "d/other");
  users.remove(a, "d");
  users.write(b, "d/e/edited");
  const { plan } = sync(a, b);
  assert.deepEqual(lines(plan), [
    "+<d d",
    "+<d d/e",
    "+<f d/e/edited",
    "->f d/e/not",
    "->f d/other",
  ]);
  assert.deepEqual(a.paths("file"), ["d/e/edited"]);
  assert.deepEqual(picture(a), picture(b));
});

Deno.test("Reconciler keeps both versions of a file that both sides changed, under one name", () => {
  const { users, a, b } = pair("x.txt");
  users.write(a, "x.txt");
  users.write(b, "x.txt");
  const copy = /^x\.conflict-AAAAAAA-\d{8}-\d{6}\.txt$/;
  const { plan } = sync(a, b);
  assert.equal(plan.conflicts.length, 1);
  assert.equal(plan.conflicts[0]!.kept, "both");
  assert.match(plan.conflicts[0]!.copy!, copy);
  assert.deepEqual(lines(plan).map((line) => line.slice(0, 3)), ["+>f", "C<f"]);
  assert.deepEqual(picture(a), picture(b));
  assert.match(a.paths("file")[0]!, copy);
  assert.match(contentOf(a, "x.txt")!, /by b/, "the later one has the name");
  assert.deepEqual(lines(sync(b, a).plan), []);
});

for (
  const [policy, kept] of [["newer", "b"], ["local", "a"], ["remote", "b"]] as const
) {
  Deno.test(`Reconciler keeps one version by the policy ${policy}`, () => {
    const { users, a, b } = pair("x");
    users.write(a, "x");
    users.write(b, "x");
    const { plan } = sync(a, b, { direction: { kind: "two-way", conflicts: policy } });
    assert.deepEqual(plan.conflicts, [{ path: "x", kept: kept === "a" ? "local" : "remote" }]);
    assert.deepEqual(a.paths("file"), ["x"]);
    assert.match(contentOf(b, "x")!, new RegExp(`by ${kept}`));
    assert.deepEqual(picture(a), picture(b));
  });
}

Deno.test("Reconciler moves a file aside where the other side made a directory of its name", () => {
  for (const [leafSide, dirSide] of [["a", "b"], ["b", "a"]]) {
    const { users, ...devices } = pair("other");
    const { a, b } = devices;
    const byId = { a, b } as Record<string, Device>;
    users.write(byId[leafSide!]!, "x");
    users.mkdir(byId[dirSide!]!, "x");
    users.write(byId[dirSide!]!, "x/inside");
    const { plan, failed } = sync(a, b);
    assert.deepEqual(failed, []);
    assert.equal(plan.conflicts.length, 1);
    assert.deepEqual(picture(a), picture(b));
    assert.equal(a.nodes.get("x")?.kind, "dir");
    assert.equal(a.paths("file").filter((path) => path.startsWith("x.conflict-")).length, 1);
    assert.deepEqual(lines(sync(a, b).plan), []);
  }
});

Deno.test("Reconciler turns a file into a directory, and back, where only one side did", () => {
  const { users, a, b } = pair("f", "d/", "d/e/", "d/e/x");
  users.remove(a, "f");
  users.mkdir(a, "f");
  users.write(a, "f/y");
  users.remove(a, "d");
  users.write(a, "d");
  const { plan, failed } = sync(a, b);
  assert.deepEqual(failed, []);
  assert.deepEqual(
    lines(plan),
    [
      "->f d/e/x",
      "->d d/e",
      "M>f d",
      "->f f",
      "+>d f",
      "+>f f/y",
    ].sort(byPath),
  );
  assert.deepEqual(picture(a), picture(b));
  assert.equal(plan.conflicts.length, 0);
});

Deno.test("Reconciler leaves a directory that holds something untouchable where a file should be", () => {
  const { users, a, b } = pair("d/", "d/x");
  users.write(b, "d/build");
  b.opaque.add("d/build");
  users.remove(a, "d");
  users.write(a, "d");
  const { plan } = sync(a, b);
  assert.deepEqual(plan.skipped, [{ path: "d", reason: "in_the_way" }]);
  assert.deepEqual(b.paths("file"), ["d/build", "d/x"]);
});

Deno.test("Reconciler merges a new mode on one side with new contents on the other", () => {
  const { users, a, b } = pair("x");
  users.chmod(a, "x", 0o755);
  users.write(b, "x");
  sync(a, b);
  const node = a.nodes.get("x");
  assert.ok(node?.kind === "file" && node.mode === 0o755 && /by b/.test(node.content));
  assert.deepEqual(picture(a), picture(b));
});

Deno.test("Reconciler sends no contents where only the time differs", () => {
  const { users, a, b } = pair("x");
  users.touch(b, "x");
  const { plan } = sync(a, b);
  assert.deepEqual(lines(plan), ["m<f x"]);
  assert.equal(plan.bytesToReceive, 0);
  assert.deepEqual(picture(a), picture(b));
});

for (const [touched, edited] of [["a", "b"], ["b", "a"]] as const) {
  Deno.test(`Reconciler lets an edit on ${edited} have its way over a touch on ${touched}`, () => {
    const { users, ...devices } = pair("x", "y");
    const { a, b } = devices;
    users.write(devices[edited], "x", "an edit of another length");
    users.write(devices[edited], "y");
    // The later one, which would have the name after a conflict.
    users.touch(devices[touched], "x");
    users.touch(devices[touched], "y");
    const { plan } = sync(a, b);
    assert.deepEqual(plan.conflicts, []);
    assert.deepEqual(a.paths("file"), ["x", "y"]);
    assert.equal(contentOf(a, "x"), "an edit of another length");
    assert.match(contentOf(a, "y")!, new RegExp(`by ${edited}`));
    assert.deepEqual(picture(a), picture(b));
    assert.deepEqual(lines(sync(b, a).plan), []);
  });
}

Deno.test("Reconciler keeps both versions where nobody remembers what was in common", () => {
  const { users, a, b } = pair("x");
  users.touch(a, "x");
  users.write(b, "x", "an edit of another length");
  a.earlier.clear();
  b.earlier.clear();
  assert.equal(sync(a, b).plan.conflicts.length, 1);
});

Deno.test("Reconciler takes files for different whose digests nobody can tell", () => {
  const { users, a, b } = pair("x");
  users.touch(b, "x");
  assert.deepEqual(lines(planFor(a, b, { withoutDigests: true }).plan), ["M<f x"]);
});

Deno.test("Reconciler never touches what one side can't judge, and never reads it as absent", () => {
  const { users, a, b } = pair("secret", "d/", "d/x", "plain");
  a.opaque.add("secret");
  a.opaque.add("d");
  users.write(b, "secret");
  users.write(b, "d/x");
  const { plan } = sync(a, b);
  assert.deepEqual(lines(plan).filter((line) => !line.startsWith("s")), []);
  assert.deepEqual(plan.skipped.map(({ path }) => path), ["d", "secret"]);
  a.opaque.clear();
  assert.deepEqual(lines(planFor(a, b).plan), ["M<f d/x", "M<f secret"], "still remembered");
});

Deno.test("Reconciler neither deletes nor sends what became ignored, and takes it up again later", () => {
  const { users, a, b } = pair("log/", "log/x", "log/y", "plain");
  const isIgnored = (path: string) => path === "log";
  users.remove(a, "log/x");
  users.write(b, "log/y");
  users.write(a, "plain");
  assert.deepEqual(lines(sync(a, b, { isIgnored }).plan), ["M>f plain"]);
  assert.deepEqual(lines(planFor(a, b).plan), ["->f log/x", "M<f log/y"]);
});

Deno.test("Reconciler says nothing of ignored files that the other side does not ignore yet", () => {
  const { users, a, b } = pair("x.log", "plain");
  a.opaque.add("x.log");
  users.write(b, "x.log");
  const { plan } = sync(a, b, { isIgnored: (path) => path.endsWith(".log") });
  assert.deepEqual([lines(plan), plan.skipped], [[], []]);
  assert.ok(a.nodes.has("x.log") && b.nodes.has("x.log"));
});

Deno.test("Reconciler keeps a deleted directory on the side where ignored things are in it", () => {
  const { users, a, b } = pair("d/", "d/x");
  users.write(b, "d/cache");
  b.opaque.add("d/cache");
  users.remove(a, "d");
  const { plan } = sync(a, b);
  assert.deepEqual(lines(plan), ["->f d/x"]);
  assert.deepEqual(b.paths("file"), ["d/cache"]);
  assert.deepEqual(lines(planFor(a, b).plan), [], "and does not bring it back");
});

Deno.test("Reconciler deletes nothing by a listing that is not complete", () => {
  const { users, a, b } = pair("d/", "d/x", "d/y");
  users.remove(a, "d/x");
  users.write(b, "d/new");
  a.incomplete.add("d");
  const { plan } = sync(a, b);
  assert.deepEqual(lines(plan), ["+<f d/new", "s>f d/x"]);
  assert.equal(plan.skipped[0]!.reason, "incomplete");
  assert.ok(b.nodes.has("d/x"));
  a.incomplete.clear();
  assert.deepEqual(lines(planFor(a, b).plan), ["->f d/x"]);
});

Deno.test("Reconciler carries links by their target, and their time", () => {
  const { users, a, b } = pair("f");
  users.link(a, "l", "f");
  sync(a, b);
  assert.deepEqual(picture(a), picture(b));
  users.link(b, "l", "g");
  assert.deepEqual(lines(sync(a, b).plan), ["M<l l"]);
  const node = a.nodes.get("l");
  a.nodes.set("l", { ...node!, mtimeMs: 5 } as typeof node & object);
  assert.deepEqual(lines(sync(a, b).plan), ["m>l l"]);
  assert.deepEqual(picture(a), picture(b));
});

Deno.test("Reconciler makes no link that leads out of the share", () => {
  const { users, a, b } = pair("f");
  users.link(b, "l", "../etc/passwd");
  const { plan } = sync(a, b);
  assert.deepEqual(plan.problems.map(({ code, side }) => [code, side]), [["bad_link", "local"]]);
  assert.equal(a.nodes.has("l"), false);
});

Deno.test("Reconciler finds changes that size and time hide, where pages carry digests", () => {
  const { users, a, b } = pair("x", "y");
  const was = a.nodes.get("x");
  assert.ok(was?.kind === "file");
  a.checksum = b.checksum = true;
  sync(a, b);
  users.write(a, "x", was.content.replace("by", "BY"));
  a.nodes.set("x", { ...a.nodes.get("x")!, mtimeMs: was.mtimeMs } as typeof was);
  assert.deepEqual(lines(sync(a, b).plan), ["M>f x"]);
  assert.match(contentOf(b, "x")!, /BY/);
});

Deno.test("Reconciler compares times within the window that a disk needs", () => {
  const { users, a, b } = pair("x");
  const node = b.nodes.get("x");
  assert.ok(node?.kind === "file");
  b.nodes.set("x", { ...node, mtimeMs: node.mtimeMs + 1500 });
  assert.deepEqual(lines(planFor(a, b, { modifyWindowMs: 2000 }).plan), []);
  assert.deepEqual(lines(planFor(a, b).plan), ["m<f x"]);
  users.write(b, "x");
  assert.deepEqual(lines(planFor(a, b, { modifyWindowMs: 2000 }).plan), ["M<f x"]);
});

Deno.test("Reconciler leaves modes alone that a side can't keep", () => {
  const { users, a, b } = pair("x");
  users.chmod(a, "x", 0o755);
  sync(a, b);
  users.chmod(b, "x", 0o666);
  b.traits = { losesModes: true };
  assert.deepEqual(lines(sync(a, b).plan), []);
  users.write(b, "x");
  sync(a, b);
  const node = a.nodes.get("x");
  assert.ok(node?.kind === "file" && node.mode === 0o755, "the mode survives an edit over there");
});

Deno.test("Reconciler sets a directory's time where only one side changed in it", () => {
  const { users, a, b } = pair("d/", "d/x");
  users.write(a, "d/new");
  const { plan } = planFor(a, b);
  const last = plan.remote.at(-1)!;
  assert.ok(last.op === "set-attributes" && last.path === "d" && last.mtimeMs === 1);
  assert.deepEqual(lines(plan), ["+>f d/new"], "without a line of its own");
});

function byPath(a: string, b: string): number {
  return a.slice(4) < b.slice(4) ? -1 : a.slice(4) > b.slice(4) ? 1 : 0;
}

Deno.test("Reconciler takes no edit for seen by a decision that its device never heard of", () => {
  const { users, a, b } = pair("x");
  users.write(a, "x");
  users.remove(b, "x");
  // The edit comes back in spite of the deletion, and the session breaks off before this side notes that.
  sync(a, b, { settled: (side) => side === "remote" });
  assert.deepEqual(picture(a), picture(b));
  users.write(a, "x");
  const newest = contentOf(a, "x")!;
  sync(a, b);
  sync(b, a);
  for (const device of [a, b]) {
    const contents = device.paths("file").map((path) => contentOf(device, path));
    assert.ok(contents.includes(newest), `${device.id} has ${contents}`);
  }
});
