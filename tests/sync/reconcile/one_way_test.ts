import assert from "node:assert/strict";
import fc from "fast-check";
import { Device, lines, picture, planFor, sync, Users } from "./model.ts";

const PUSH = { kind: "push", deletes: false } as const;
const MIRROR = { kind: "push", deletes: true } as const;
const PULL = { kind: "pull", deletes: false } as const;

function two() {
  return { users: new Users(), a: new Device("a"), b: new Device("b") };
}

Deno.test("Reconciler pushes what differs and keeps what only the target has", () => {
  const { users, a, b } = two();
  users.write(a, "new");
  users.mkdir(a, "d");
  users.write(a, "d/x");
  users.write(b, "kept");
  users.mkdir(b, "kept-d");
  users.write(b, "kept-d/y");
  const { plan } = sync(a, b, { direction: PUSH });
  assert.deepEqual(lines(plan), ["+>d d", "+>f d/x", "+>f new"]);
  assert.deepEqual(plan.local, []);
  assert.deepEqual(b.paths("file"), ["d/x", "kept", "kept-d/y", "new"]);
});

Deno.test("Reconciler overwrites the target's edits one way, and says of no conflict", () => {
  const { users, a, b } = two();
  users.write(a, "x");
  sync(a, b, { direction: PUSH });
  users.write(a, "x");
  users.write(b, "x");
  const { plan } = sync(a, b, { direction: PULL });
  assert.deepEqual(lines(plan), ["M<f x"]);
  assert.deepEqual(plan.conflicts, []);
  assert.deepEqual(picture(a), picture(b));
});

Deno.test("Reconciler deletes one way only with deletes, children before their directory", () => {
  const { users, a, b } = two();
  users.mkdir(b, "d");
  users.mkdir(b, "d/e");
  users.write(b, "d/e/x");
  users.write(a, "y");
  assert.deepEqual(lines(planFor(a, b, { direction: PUSH }).plan), ["+>f y"]);
  const { plan } = sync(a, b, { direction: MIRROR });
  assert.deepEqual(
    plan.remote.filter(({ op }) => op === "remove").map(({ path }) => path),
    ["d/e/x", "d/e", "d"],
  );
  assert.deepEqual(picture(b), picture(a));
});

Deno.test("Reconciler replaces a target's directory by a file only with deletes", () => {
  const { users, a, b } = two();
  users.write(a, "x");
  users.mkdir(b, "x");
  users.write(b, "x/inside");
  const { plan } = sync(a, b, { direction: PUSH });
  assert.deepEqual(plan.skipped, [{ path: "x", reason: "in_the_way" }]);
  assert.deepEqual(plan.remote, []);
  assert.deepEqual(lines(sync(a, b, { direction: MIRROR }).plan), ["M>f x", "->f x/inside"]);
  assert.deepEqual(picture(b), picture(a));
});

Deno.test("Reconciler replaces an empty directory, and any file, also without deletes", () => {
  const { users, a, b } = two();
  users.write(a, "x");
  users.mkdir(b, "x");
  users.mkdir(a, "y");
  users.write(a, "y/inside");
  users.write(b, "y");
  const { failed } = sync(a, b, { direction: PUSH });
  assert.deepEqual(failed, []);
  assert.deepEqual(picture(b), picture(a));
});

Deno.test("Reconciler deletes nothing by a source that could not be read completely", () => {
  const { users, a, b } = two();
  users.mkdir(a, "d");
  users.mkdir(b, "d");
  users.write(b, "d/x");
  a.incomplete.add("d");
  assert.deepEqual(lines(sync(a, b, { direction: MIRROR }).plan), ["s>f d/x"]);
});

Deno.test("Reconciler gives a read-only directory its mode in its own operation", () => {
  const { users, a, b } = two();
  users.mkdir(a, "d");
  users.write(a, "d/x");
  users.chmod(a, "d", 0o555);
  const { plan } = sync(a, b, { direction: PUSH });
  const make = plan.remote[0]!;
  assert.ok(make.op === "make-dir" && make.mode === 0o555 && make.mtimeMs === 1);
  users.chmod(a, "d", 0o500);
  users.write(a, "d/y");
  const next = sync(a, b, { direction: PUSH }).plan;
  assert.deepEqual(
    next.phaseOf({ side: "remote", index: next.remote.length - 1 }),
    "dir-attributes",
  );
  assert.deepEqual(picture(b), picture(a));
});

Deno.test("Reconciler lets a push be followed by edits both ways without a conflict", () => {
  const { users, a, b } = two();
  users.write(a, "x");
  sync(a, b);
  users.write(a, "x");
  users.write(b, "x");
  sync(a, b, { direction: PUSH });
  users.write(b, "x");
  const { plan } = sync(a, b);
  assert.deepEqual(lines(plan), ["M<f x"]);
});

Deno.test("Reconciler propagates later, both ways, a deletion that a push left undone", () => {
  const { users, a, b } = two();
  users.write(a, "x");
  users.write(a, "y");
  sync(a, b);
  users.remove(a, "x");
  assert.deepEqual(lines(sync(a, b, { direction: PUSH }).plan), []);
  assert.deepEqual(lines(sync(a, b).plan), ["->f x"]);
});

const path = fc.constantFrom("a", "b", "d", "d/a", "d/b", "d/e", "d/e/a", "f", "f/a");
const step = fc.record({
  kind: fc.nat(6),
  path,
  to: path,
  onTarget: fc.boolean(),
  mode: fc.nat(7),
});

Deno.test("Reconciler makes the target equal with deletes, and a superset without", () => {
  const edits = fc.array(step, { minLength: 1, maxLength: 25 });
  fc.assert(
    fc.property(edits, fc.boolean(), fc.boolean(), fc.boolean(), (steps, deletes, isPush, past) => {
      const { users, a, b } = two();
      const [source, target] = isPush ? [a, b] : [b, a];
      for (const [index, step] of steps.entries()) {
        if (past && index === Math.floor(steps.length / 2)) sync(a, b);
        const device = step.onTarget ? target : source;
        const { path, to } = step;
        [
          () => users.write(device, path),
          () => users.mkdir(device, path),
          () => users.remove(device, path),
          () => users.move(device, path, to),
          () => users.copy(device, path, to),
          () => users.link(device, path, "a"),
          () => users.chmod(device, path, 0o700 | step.mode),
        ][step.kind]!();
      }
      const before = { source: picture(source), target: target.paths("file") };
      const direction = { kind: isPush ? "push" : "pull", deletes } as const;
      const { plan, failed } = sync(a, b, { direction });
      assert.deepEqual(failed, []);
      assert.deepEqual(picture(source), before.source, "the source is left alone");
      if (deletes) assert.deepEqual(picture(target), before.source);
      else {
        const blocked = plan.skipped.map(({ path }) => path);
        const there = new Set(picture(target));
        for (const line of before.source) {
          const isBlocked = blocked.some((path) => line.startsWith(path));
          assert.ok(isBlocked || there.has(line), line);
        }
        for (const path of before.target) assert.ok(target.nodes.has(path), `${path} stays`);
      }
      assert.deepEqual(lines(planFor(a, b, { direction }).plan).filter((l) => l[0] !== "s"), []);
    }),
    { numRuns: 400 },
  );
});
