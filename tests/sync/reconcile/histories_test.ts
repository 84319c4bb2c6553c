import assert from "node:assert/strict";
import fc from "fast-check";
import { equalBytes } from "../../../src/base/bytes.ts";
import type { SyncDirection } from "../../../src/sync/reconcile/mod.ts";
import { Device, picture, type SessionOptions, sync, Users } from "./model.ts";

/** Histories a run; the soak entry of the environment makes it as long as wanted. */
const HISTORIES = Number(Deno.env.get("LANDROPIC_SOAK_RUNS") ?? 600);
/** Rounds of every device with every other until nothing is left to do. */
const ROUNDS_MAX = 12;

const NAMES = ["a", "b", "c.txt", "d", "e"];
const DIRS = ["", "d/", "e/", "d/e/", "e/d/"];
const spot = fc.tuple(fc.constantFrom(...DIRS), fc.constantFrom(...NAMES))
  .map(([dir, name]) => dir + name);

type Step =
  | { do: "edit"; device: number; kind: string; path: string; to: string; n: number }
  | { do: "sync"; from: number; to: number; luck: number[]; edit?: Step };

const edit = fc.record({
  do: fc.constant("edit" as const),
  device: fc.nat(3),
  kind: fc.constantFrom(
    ...["write", "write", "write", "write", "mkdir", "mkdir", "remove", "remove", "move", "move"],
    ...["copy", "touch", "chmod", "link", "dir-to-file", "file-to-dir"],
  ),
  path: spot,
  to: spot,
  n: fc.nat(7),
});
const session = fc.record({
  do: fc.constant("sync" as const),
  from: fc.nat(3),
  to: fc.nat(3),
  luck: fc.array(fc.nat(99), { maxLength: 12 }),
  edit: fc.option(edit, { nil: undefined, freq: 4 }),
});
function historyOf(
  edit: fc.Arbitrary<Step>,
  { devices, sessions, minLength }: { devices: number; sessions: number; minLength: number },
) {
  const step = fc.oneof(
    { weight: 5, arbitrary: edit },
    { weight: sessions, arbitrary: session as fc.Arbitrary<Step> },
  );
  return fc.record({
    devices: fc.integer({ min: 2, max: devices }),
    steps: fc.array(step, { minLength, maxLength: 40 }),
    /** Sessions go wrong. */
    isRough: fc.boolean(),
  });
}
const everything = historyOf(edit, { devices: 4, sessions: 2, minLength: 4 });
/** The same few files over and over, so that both sides mostly have a version of each, of the same size. */
const fewFiles = historyOf(
  fc.tuple(
    edit,
    fc.constantFrom("write", "touch", "touch", "chmod", "move", "remove", "copy"),
    fc.nat(2),
  )
    .map(([edit, kind, file]) => ({ ...edit, kind, path: NAMES[file]!, to: `d/${NAMES[file]}` })),
  { devices: 3, sessions: 5, minLength: 20 },
);

for (const [what, history] of [["", everything], [" of a few files", fewFiles]] as const) {
  Deno.test(`Reconciler brings devices together and loses no version${what} that nobody meant to lose`, () => {
    fc.assert(
      fc.property(history, ({ devices: count, steps, isRough }) => {
        const devices = Array.from({ length: count }, (_, i) => new Device("abcd"[i]!));
        const users = new Users();
        for (const step of steps) {
          if (step.do === "edit") apply(users, devices, step);
          else runSession(users, devices, step, isRough);
        }
        converge(devices);
        const alive = new Set<string>();
        for (const node of devices[0]!.nodes.values()) {
          if (node.kind === "file") alive.add(node.content);
        }
        for (const content of users.written) {
          assert.ok(alive.has(content) || users.superseded.has(content), `${content} is lost`);
        }
      }),
      { numRuns: HISTORIES },
    );
  });
}

Deno.test("Reconciler brings devices together whatever sessions they had before", () => {
  const direction = fc.oneof(
    fc.record({ kind: fc.constantFrom("push", "pull"), deletes: fc.boolean() }),
    fc.record({
      kind: fc.constant("two-way"),
      conflicts: fc.constantFrom("keep-both", "newer", "local", "remote"),
    }),
  ) as fc.Arbitrary<SyncDirection>;
  const directions = fc.array(direction, { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(
      fc.oneof(everything, fewFiles),
      directions,
      ({ devices: count, steps, isRough }, directions) => {
        const devices = Array.from({ length: count }, (_, i) => new Device("abcd"[i]!));
        const users = new Users();
        for (const [index, step] of steps.entries()) {
          const direction = directions[index % directions.length]!;
          if (step.do === "edit") apply(users, devices, step);
          else runSession(users, devices, step, isRough, direction);
        }
        converge(devices);
      },
    ),
    { numRuns: HISTORIES / 2 },
  );
});

function runSession(
  users: Users,
  devices: Device[],
  step: Step & { do: "sync" },
  isRough: boolean,
  direction?: SyncDirection,
): void {
  const from = devices[step.from % devices.length]!;
  const to = devices[step.to % devices.length]!;
  if (from === to) return;
  let next = 0;
  const draw = () => step.luck.length === 0 ? 50 : step.luck[next++ % step.luck.length]!;
  const comparesLater = step.luck.length % 3 > 0;
  const options: SessionOptions = isRough
    ? {
      comparesLater,
      next: () => {
        const luck = draw();
        return luck < 5 ? "stop" : luck > 15;
      },
      noted: () => draw() > 10,
      settled: () => draw() > 25,
      sideFirst: () => draw() % 2 === 0,
      ...(step.edit &&
        { meanwhile: () => apply(users, devices, step.edit as Step & { do: "edit" }) }),
    }
    : { comparesLater, sideFirst: () => draw() % 2 === 0 };
  const { failed } = sync(from, to, direction === undefined ? options : { ...options, direction });
  if (!isRough) assert.deepEqual(failed, [], "every operation of an undisturbed session works");
}

function apply(users: Users, devices: Device[], step: Step & { do: "edit" }): void {
  const device = devices[step.device % devices.length]!;
  const { path, to, n } = step;
  switch (step.kind) {
    case "write":
      users.write(device, path);
      return;
    case "mkdir":
      users.mkdir(device, path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : "d");
      return;
    case "remove":
      users.remove(device, path);
      return;
    case "move":
      users.move(device, path, to);
      return;
    case "copy":
      users.copy(device, path, to);
      return;
    case "touch":
      users.touch(device, path);
      return;
    case "chmod":
      users.chmod(device, path, 0o700 | (n << 3) | n);
      return;
    case "link":
      users.link(device, path, NAMES[n % NAMES.length]!);
      return;
    case "dir-to-file":
      if (device.nodes.get(path)?.kind === "dir") users.remove(device, path);
      users.write(device, path);
      return;
    case "file-to-dir":
      if (device.nodes.get(path)?.kind !== "dir") users.remove(device, path);
      users.mkdir(device, path);
      users.write(device, `${path}/${NAMES[n % NAMES.length]}`);
      return;
  }
}

/** Every device with every other, until no plan has anything to do. */
export function converge(devices: Device[]): void {
  for (let round = 0; round < ROUNDS_MAX; round++) {
    let operations = 0;
    for (const [i, from] of devices.entries()) {
      for (const to of devices.slice(i + 1)) {
        const { plan, failed } = sync(from, to);
        assert.deepEqual(failed, [], "every operation of an undisturbed session works");
        assert.deepEqual(plan.skipped, []);
        operations += plan.local.length + plan.remote.length;
        assert.deepEqual(picture(from), picture(to), "equal after a session");
      }
    }
    if (operations > 0) continue;
    const roots = devices.map((device) => device.scan().root);
    assert.ok(roots.every((root) => equalBytes(root, roots[0]!)));
    return;
  }
  assert.fail(`not the same after ${ROUNDS_MAX} rounds`);
}
