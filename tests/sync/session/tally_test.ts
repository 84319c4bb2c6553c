import assert from "node:assert/strict";
import { systemClock } from "../../../src/base/clock.ts";
import type { RelPath } from "../../../src/base/paths.ts";
import { Tally } from "../../../src/sync/session/tally.ts";

Deno.test("Tally says whose words a failure is in, and knows better what it could not read itself", () => {
  const paths = ["denied", "unreadable"];
  const operations = paths.map((path) => ({ op: "write-file", path, source: path, size: 1 }));
  const side = { length: 2, at: (index: number) => operations[index] };
  const plan = { local: side, remote: side, items: { at: () => undefined } };
  const told: string[] = [];
  const tally = new Tally(plan as never, { errors: 0 } as never, {
    observer: { fileError: ({ message }: { message: string }) => told.push(message) } as never,
    provider: {
      whyUnreadable: (path: RelPath) => path === "unreadable" ? "Cannot read it" : undefined,
    } as never,
    clock: systemClock,
    peerName: "nas",
  });
  for (const side of ["local", "remote"] as const) {
    for (const index of paths.keys()) {
      const traffic = { bytesFetched: 0, bytesReused: 0 };
      tally.take(side, { index, result: "failed", code: "io", message: "No way", ...traffic });
    }
  }
  assert.deepEqual(told, ["No way", "No way", 'On "nas": No way', "Cannot read it"]);
});
