import assert from "node:assert/strict";
import { AddressRace, RACE_ADDRESSES_MAX } from "../../src/orchestrator/address_race.ts";

const never = new AbortController().signal;
const at = (n: number) => ({ host: `10.0.${n >> 8}.${n & 255}`, port: 1 });

/** A connection that says whether it was disposed. */
class Fake implements AsyncDisposable {
  isDisposed = false;
  constructor(readonly host: string) {}
  [Symbol.asyncDispose](): Promise<void> {
    this.isDisposed = true;
    return Promise.resolve();
  }
}

/** Dials that end when the test says so. */
class Dials {
  readonly waiting = new Map<string, PromiseWithResolvers<Fake>>();
  readonly signals: AbortSignal[] = [];
  readonly dial = ({ host }: { host: string }, signal: AbortSignal): Promise<Fake> => {
    const dial = Promise.withResolvers<Fake>();
    this.waiting.set(host, dial);
    this.signals.push(signal);
    return dial.promise;
  };
  answer(n: number): Fake {
    const fake = new Fake(at(n).host);
    this.waiting.get(at(n).host)!.resolve(fake);
    return fake;
  }
  fail(n: number, why: string): void {
    this.waiting.get(at(n).host)!.reject(new Error(why));
  }
}

Deno.test("AddressRace takes the first to answer, stops the others and closes late ones", async () => {
  const dials = new Dials();
  const race = new AddressRace(dials.dial, never);
  race.add([at(1), at(2), at(3)], 0);
  dials.fail(1, "a stranger");
  const second = dials.answer(2);
  assert.equal(await race.winner, second);
  assert.ok(dials.signals.every((signal) => signal.aborted));
  const third = dials.answer(3);
  await Promise.resolve();
  await Promise.resolve();
  assert.deepEqual([second.isDisposed, third.isDisposed], [false, true]);
});

Deno.test("AddressRace is lost only when all have failed and no more will come", async () => {
  const dials = new Dials();
  const race = new AddressRace(dials.dial, never);
  race.add([at(1)], 0);
  dials.fail(1, "one");
  await Promise.allSettled([dials.waiting.get(at(1).host)!.promise]);
  assert.equal(race.isOver, false);
  race.add([at(2)], 0);
  race.complete();
  assert.equal(race.isOver, false);
  dials.fail(2, "two");
  await assert.rejects(race.winner, (error: AggregateError) => {
    assert.deepEqual(error.errors.map(({ message }) => message), ["one", "two"]);
    return true;
  });
});

Deno.test("AddressRace dials no address twice, and not more than its limit", () => {
  const dials = new Dials();
  const race = new AddressRace(dials.dial, never);
  race.add([at(1), at(1)], 0);
  race.add([at(1)], 0);
  assert.equal(race.count, 1);
  race.add(Array.from({ length: 2 * RACE_ADDRESSES_MAX }, (_, i) => at(i)), 0);
  assert.equal(race.count, RACE_ADDRESSES_MAX);
  assert.equal(dials.waiting.size, RACE_ADDRESSES_MAX);
  race.winner.catch(() => {});
});

Deno.test("AddressRace ends with the reason of its signal, before or while it runs", async () => {
  const reason = new Error("stop");
  const stop = new AbortController();
  const dials = new Dials();
  const running = new AddressRace(dials.dial, stop.signal);
  running.add([at(1)], 0);
  running.add([at(2)], 60_000);
  stop.abort(reason);
  await assert.rejects(running.winner, reason);
  assert.ok(dials.signals[0]!.aborted);
  const late = dials.answer(1);
  await Promise.resolve();
  await Promise.resolve();
  assert.ok(late.isDisposed);
  const before = new AddressRace(dials.dial, stop.signal);
  before.add([at(3)], 0);
  await assert.rejects(before.winner, reason);
  assert.ok(!dials.waiting.has(at(3).host));
});

Deno.test("AddressRace with nobody to dial is lost at once", async () => {
  const race = new AddressRace(new Dials().dial, never);
  race.complete();
  await assert.rejects(race.winner, AggregateError);
});
