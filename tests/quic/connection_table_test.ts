import assert from "node:assert/strict";
import { ConnectionTable } from "../../src/quic/connection_table.ts";
import { CONNECTION_ID_BYTES } from "../../src/quic/packet.ts";

function idOf(last: number): Uint8Array {
  const id = new Uint8Array(CONNECTION_ID_BYTES);
  id[CONNECTION_ID_BYTES - 1] = last;
  return id;
}

function shortHeader(last: number): Uint8Array {
  const datagram = new Uint8Array(40);
  datagram.set(idOf(last), 1);
  return datagram;
}

Deno.test("ConnectionTable finds connections by short header, in any order of calls", () => {
  const table = new ConnectionTable<string>();
  table.set(idOf(1), "one");
  table.set(idOf(2), "two");
  for (const [last, expected] of [[1, "one"], [1, "one"], [2, "two"], [1, "one"], [3, undefined]]) {
    assert.equal(table.getByShortHeader(shortHeader(last as number)), expected);
  }
});

Deno.test("ConnectionTable forgets a deleted id at once, also the one it saw last", () => {
  const table = new ConnectionTable<string>();
  table.set(idOf(1), "one");
  assert.equal(table.getByShortHeader(shortHeader(1)), "one");
  table.delete(idOf(1));
  assert.equal(table.getByShortHeader(shortHeader(1)), undefined);
  assert.equal(table.size, 0);
});

Deno.test("ConnectionTable ignores datagrams too short for an id, and tells lengths apart", () => {
  const table = new ConnectionTable<string>();
  table.set(idOf(0), "zeros");
  assert.equal(table.getByShortHeader(new Uint8Array(CONNECTION_ID_BYTES)), undefined);
  assert.equal(table.get(new Uint8Array(CONNECTION_ID_BYTES + 1)), undefined);
  assert.equal(table.has(idOf(0)), true);
});
