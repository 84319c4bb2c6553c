import assert from "node:assert/strict";
import { isConflictName } from "../../../src/sync/reconcile/mod.ts";
import { Device, lines, picture, sync, Users } from "./model.ts";

function ring(count: number) {
  const users = new Users();
  const devices = Array.from({ length: count }, (_, i) => new Device("abcd"[i]!));
  return { users, devices };
}

function copies(device: Device): string[] {
  return device.paths("file").filter((path) => isConflictName(path));
}

Deno.test("Reconciler makes one copy for each loser in a ring of devices, however often they meet", () => {
  const { users, devices } = ring(4);
  const [a, b, c, d] = devices as [Device, Device, Device, Device];
  users.write(a, "x.txt");
  for (const other of [b, c, d]) sync(a, other);
  for (const device of devices) users.write(device, "x.txt");
  for (let round = 0; round < 4; round++) {
    for (const [from, to] of [[a, b], [c, d], [b, c], [d, a]] as const) sync(from, to);
  }
  for (const device of devices) {
    assert.deepEqual(picture(device), picture(a));
    assert.equal(copies(device).length, 3, "three of four versions lost");
  }
});

Deno.test("Reconciler gives the copy one name, whoever carries the losing version", () => {
  const { users, devices } = ring(4);
  const [a, b, c, d] = devices as [Device, Device, Device, Device];
  users.write(a, "x");
  for (const other of [b, c, d]) sync(a, other);
  users.write(a, "x");
  users.write(b, "x");
  // c has a's version and d has b's: the same conflict is met twice.
  sync(a, c);
  sync(b, d);
  sync(a, b);
  sync(c, d);
  assert.deepEqual(copies(a), copies(c));
  for (const [from, to] of [[a, c], [b, d], [a, d], [b, c]] as const) {
    assert.deepEqual(sync(from, to).plan.conflicts, []);
  }
  assert.equal(copies(d).length, 1);
});

Deno.test("Reconciler takes a version that has seen the other one, though both left the ancestor", () => {
  const { users, devices } = ring(3);
  const [a, b, c] = devices as [Device, Device, Device];
  users.write(a, "x");
  sync(a, b);
  sync(a, c);
  users.write(a, "x");
  sync(a, b);
  users.write(b, "x");
  sync(b, c);
  const { plan } = sync(a, c);
  assert.deepEqual([plan.conflicts, lines(plan)], [[], ["M<f x"]]);
});

Deno.test("Reconciler brings no deleted file back by a device that never met the one that deleted it", () => {
  const { users, devices } = ring(3);
  const [a, b, c] = devices as [Device, Device, Device];
  users.write(a, "x");
  sync(a, b);
  sync(a, c);
  users.remove(b, "x");
  const { plan } = sync(b, c);
  assert.deepEqual(lines(plan), ["->f x"]);
});

Deno.test("Reconciler replaces the mark of a conflict copy that is itself in conflict", () => {
  const { users, devices } = ring(2);
  const [a, b] = devices as [Device, Device];
  users.write(a, "x.txt");
  users.write(b, "x.txt");
  sync(a, b);
  const [copy] = copies(a);
  users.write(a, copy!);
  users.write(b, copy!);
  sync(a, b);
  assert.equal(copies(a).length, 2);
  for (const name of copies(a)) assert.match(name, /^x\.conflict-[A-Z]{7}-\d{8}-\d{6}\.txt$/);
  assert.deepEqual(picture(a), picture(b));
});

Deno.test("Reconciler tells losers of the same device and second apart", () => {
  const { users, devices } = ring(2);
  const [a, b] = devices as [Device, Device];
  const lose = (content: string) => {
    users.write(a, "x", content);
    a.nodes.set(
      "x",
      { ...a.nodes.get("x")!, mtimeMs: 1_000_000_000_000 + content.length } as never,
    );
    users.write(b, "x");
    sync(a, b);
  };
  lose("first");
  lose("the second");
  const names = copies(a);
  assert.equal(names.length, 2);
  assert.match(names[0]!, /^x\.conflict-AAAAAAA-20010909-014640(-[0-9a-f]{8})?$/);
  assert.deepEqual(picture(a), picture(b));
});

Deno.test("Reconciler makes no second copy of a version that both sides have a copy of", () => {
  const { users, devices } = ring(2);
  const [a, b] = devices as [Device, Device];
  users.write(a, "x");
  users.write(b, "x");
  const lost = { ...a.nodes.get("x")! };
  sync(a, b);
  // The same version comes back, as from a backup, against a new edit.
  a.nodes.set("x", lost);
  users.write(b, "x");
  const { failed } = sync(a, b);
  assert.deepEqual(failed, []);
  assert.equal(copies(a).length, 1);
  assert.deepEqual(picture(a), picture(b));
});

Deno.test("Reconciler keeps the losing version out of danger if the session breaks off", () => {
  for (let stopAt = 0; stopAt < 4; stopAt++) {
    const { users, devices } = ring(2);
    const [a, b] = devices as [Device, Device];
    users.write(a, "x");
    sync(a, b);
    users.write(a, "x", "of a");
    users.write(b, "x", "of b");
    let done = 0;
    sync(a, b, { next: () => done++ === stopAt ? "stop" : true });
    sync(a, b);
    const contents = [...a.nodes.values()].map((node) => node.kind === "file" && node.content);
    assert.ok(contents.includes("of a") && contents.includes("of b"), `stopped at ${stopAt}`);
    assert.deepEqual(picture(a), picture(b));
  }
});
