import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type GroupAction,
  GroupCore,
  JOIN_FAILURES_MAX,
} from "../../../src/orchestrator/pool/group_core.ts";

const LIMITS = { connectionsMax: 4, packetsMax: 1000 };
const PRIMARY = 100;

/** Does what a core says, as the pool would, with every dial answered at once. */
class Group {
  readonly core = new GroupCore(PRIMARY, LIMITS);
  readonly members = new Map<number, { packets: number; load: number }>([
    [PRIMARY, { packets: 0, load: 0 }],
  ]);
  readonly retiring = new Set<number>();
  readonly done: string[] = [];
  dialling = 0;
  #nextId = 1;

  act(): void {
    for (const [id, { packets, load }] of this.members) this.core.handleState(id, packets, load);
    let steps = 0;
    for (let action; (action = this.core.poll()) !== undefined;) {
      assert.ok(++steps < 100, "there is no end to it");
      this.#do(action);
    }
  }

  #do(action: GroupAction): void {
    this.done.push("id" in action ? `${action.kind} ${action.id}` : action.kind);
    switch (action.kind) {
      case "dial":
        this.dialling++;
        assert.ok(this.members.size + this.dialling <= LIMITS.connectionsMax);
        return;
      case "retire":
        assert.ok(!this.retiring.has(action.id));
        return void this.retiring.add(action.id);
      case "close":
        assert.notEqual(action.id, PRIMARY);
        assert.ok(this.retiring.has(action.id), "only what is retired is closed");
        assert.ok(this.members.delete(action.id));
    }
  }

  join(): void {
    if (this.dialling === 0) return;
    this.dialling--;
    const id = this.#nextId++;
    this.members.set(id, { packets: 0, load: 0 });
    this.core.handleJoined(id);
  }

  fail(): void {
    if (this.dialling === 0) return;
    this.dialling--;
    this.core.handleDialFailed();
  }

  end(nth: number, isDismissed: boolean): void {
    const id = [...this.members.keys()].filter((id) => id !== PRIMARY)[nth];
    if (id === undefined) return;
    this.members.delete(id);
    this.core.handleEnded(id, isDismissed);
  }

  get fresh(): number {
    return [...this.members.keys()].filter((id) => !this.retiring.has(id)).length;
  }
}

Deno.test("GroupCore opens nothing until bytes move, then what is wanted, and keeps it", () => {
  const group = new Group();
  group.act();
  assert.deepEqual(group.done, []);
  group.core.want(3);
  group.act();
  assert.deepEqual(group.done, ["dial", "dial"]);
  group.join();
  group.join();
  group.act();
  group.core.want(0);
  group.act();
  group.core.want(3);
  group.act();
  assert.deepEqual(group.done, ["dial", "dial"]);
  assert.equal(group.core.size, 3);
});

Deno.test("GroupCore has another connection take over at the packet limit, and closes the first one's helper when it is idle", () => {
  const group = new Group();
  group.core.want(1);
  group.act();
  group.members.get(PRIMARY)!.packets = LIMITS.packetsMax;
  group.act();
  assert.deepEqual(group.done, [`retire ${PRIMARY}`, "dial"]);
  assert.ok(group.core.isWorn);
  group.join();
  group.members.set(1, { packets: LIMITS.packetsMax, load: 2 });
  group.act();
  group.join();
  group.act();
  assert.deepEqual(group.done.slice(2), ["retire 1", "dial"]);
  group.members.get(1)!.load = 0;
  group.act();
  assert.deepEqual(group.done.slice(4), ["close 1"]);
});

Deno.test("GroupCore makes room for a successor where there is none, and for nothing else", () => {
  const group = new Group();
  group.core.want(4);
  group.act();
  for (let i = 0; i < 3; i++) group.join();
  for (const [id, member] of group.members) {
    member.packets = LIMITS.packetsMax;
    member.load = id === 2 ? 1 : 2;
  }
  group.act();
  assert.deepEqual(group.done.filter((what) => what.startsWith("close")), [
    "close 2",
    "close 1",
    "close 3",
  ]);
  assert.equal(group.dialling, 3);
});

Deno.test("GroupCore gives up on a connection long over its limit, whatever runs on it", () => {
  const group = new Group();
  group.core.want(2);
  group.act();
  group.join();
  group.members.set(1, { packets: LIMITS.packetsMax, load: 1 });
  group.act();
  assert.deepEqual(group.done, ["dial", "retire 1", "dial"]);
  group.join();
  group.members.set(1, { packets: LIMITS.packetsMax * 1.2, load: 1 });
  group.act();
  assert.equal(group.done.at(-1), "close 1");
});

Deno.test("GroupCore replaces a connection that breaks, and none that the peer sends away", () => {
  const group = new Group();
  group.core.want(2);
  group.act();
  group.join();
  group.end(0, false);
  group.act();
  assert.equal(group.dialling, 1);
  group.join();
  group.end(0, true);
  group.act();
  assert.equal(group.dialling, 0);
});

Deno.test("GroupCore stops dialling after some failures, until the next transfer", () => {
  const group = new Group();
  group.core.want(2);
  for (let i = 0; i < 10; i++) {
    group.act();
    group.fail();
  }
  assert.equal(group.done.length, JOIN_FAILURES_MAX);
  group.core.want(0);
  group.core.want(2);
  group.act();
  assert.equal(group.dialling, 1);
});

const event = fc.oneof(
  fc.record({ what: fc.constant("want" as const), count: fc.nat(6) }),
  fc.record({ what: fc.constantFrom("join" as const, "fail" as const) }),
  fc.record({ what: fc.constant("end" as const), nth: fc.nat(3), isDismissed: fc.boolean() }),
  fc.record({
    what: fc.constant("state" as const),
    nth: fc.nat(3),
    packets: fc.nat(1500),
    load: fc.nat(3),
  }),
);

Deno.test("GroupCore stays within its bounds whatever happens, and settles on what is wanted", () => {
  fc.assert(fc.property(fc.array(event, { maxLength: 60 }), fc.integer({ min: 1, max: 4 }), (
    events,
    wanted,
  ) => {
    const group = new Group();
    for (const each of events) {
      switch (each.what) {
        case "want":
          group.core.want(each.count);
          break;
        case "join":
          group.join();
          break;
        case "fail":
          group.fail();
          break;
        case "end":
          group.end(each.nth, each.isDismissed);
          break;
        case "state": {
          const member = [...group.members.values()][each.nth];
          if (member) Object.assign(member, each);
        }
      }
      group.act();
      assert.equal(group.core.size, group.members.size);
      assert.equal(group.core.isWorn, group.retiring.has(PRIMARY));
    }
    // From here on all goes well.
    group.core.want(0);
    group.core.want(wanted);
    for (let i = 0; i < 10; i++) {
      for (const member of group.members.values()) member.load = 0;
      group.act();
      group.join();
    }
    const reachable = group.core.isWorn ? Math.min(wanted, LIMITS.connectionsMax - 1) : wanted;
    assert.ok(group.fresh >= reachable, `${group.fresh} of ${reachable}`);
    assert.equal(group.dialling, 0);
  }));
});
