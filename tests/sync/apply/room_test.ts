import assert from "node:assert/strict";
import { Room } from "../../../src/sync/apply/room.ts";

/** A disk with so much free, which whoever writes takes from. */
class Disk {
  readonly room = new Room(() => this.freeBytes);
  constructor(public freeBytes: number) {}
}

Deno.test("Room has those wait that would fill the disk together, in their order", async () => {
  const self = new Disk(100);
  const first = await self.room.take(60);
  const done: string[] = [];
  const second = self.room.take(50).then((taken) => (done.push("second"), taken));
  const third = self.room.take(45).then((taken) => (done.push("third"), taken));
  const small = await self.room.take(40);
  assert.ok(first && small);
  assert.deepEqual(done, []);
  self.freeBytes -= 40;
  small[Symbol.dispose]();
  self.freeBytes -= 10;
  first[Symbol.dispose]();
  (await second)![Symbol.dispose]();
  assert.ok(await third);
  assert.deepEqual(done, ["second", "third"]);
});

Deno.test("Room has nothing for what does not fit even alone", async () => {
  const self = new Disk(100);
  assert.equal(await self.room.take(101), undefined);
  const all = await self.room.take(100);
  const late = self.room.take(1);
  self.freeBytes = 0;
  all![Symbol.dispose]();
  assert.equal(await late, undefined);
  assert.ok(await self.room.take(0), "an empty file fits a full disk");
});

Deno.test("Room stops a file that takes the rest before there is nothing left", () => {
  const KIB = 1024;
  const self = new Disk(16_000 * KIB);
  const { room } = self;
  room.handleBytes(64_000 * KIB);
  const rest = room.takeRest();
  assert.throws(() => {
    for (;;) {
      self.freeBytes -= 64 * KIB;
      room.handleBytes(64 * KIB);
    }
  }, { reason: "no_space" });
  assert.ok(self.freeBytes > 700 * KIB && self.freeBytes <= 1_000 * KIB);
  rest[Symbol.dispose]();
  room.handleBytes(64_000 * KIB);
});
