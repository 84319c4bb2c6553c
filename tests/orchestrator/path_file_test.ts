import assert from "node:assert/strict";
import { join } from "node:path";
import type { LogLevel } from "../../src/base/log.ts";
import { PATHS_FILE, readPaths, writePaths } from "../../src/orchestrator/path_file.ts";
import { PathMemory } from "../../src/quic/mod.ts";
import { temporaryFolder } from "../support/tree.ts";

const logs: LogLevel[] = [];
const logger = { log: (level: LogLevel) => void logs.push(level) };
const PATH = { rttMs: 12, packets: 700, lost: 1 };

Deno.test("writePaths() keeps what readPaths() gives back, for this user alone", () => {
  using folder = temporaryFolder();
  const memory = new PathMemory();
  memory.note("192.0.2.1", PATH);
  memory.note("fe80::1%eth0", { ...PATH, lost: 0 });
  writePaths(folder.path, memory, logger);
  assert.deepEqual(readPaths(folder.path, logger), [...memory.entries()]);
  assert.deepEqual([...Deno.readDirSync(folder.path)].map(({ name }) => name), [PATHS_FILE]);
  assert.equal(Deno.statSync(join(folder.path, PATHS_FILE)).mode! & 0o777, 0o600);
});

Deno.test("writePaths() writes nothing where nothing was learnt, and nobody hears of a folder that is gone", () => {
  using folder = temporaryFolder();
  writePaths(folder.path, new PathMemory([["192.0.2.1", PATH]]), logger);
  assert.deepEqual([...Deno.readDirSync(folder.path)], []);
  const memory = new PathMemory();
  memory.note("192.0.2.1", PATH);
  writePaths(join(folder.path, "gone"), memory, logger);
  assert.ok(logs.every((level) => level === "debug"));
});

const good = '{"rttMs":1,"packets":5,"lost":0}';
const files: readonly [name: string, text: string][] = [
  ["no JSON", "{"],
  ["another shape", "[]"],
  ["null", "null"],
  ["another version", `{"version":2,"paths":{"192.0.2.1":${good}}}`],
  ["a name for an address", `{"version":1,"paths":{"example.org":${good}}}`],
  ["a negative count", '{"version":1,"paths":{"192.0.2.1":{"rttMs":1,"packets":5,"lost":-1}}}'],
  ["more lost than sent", '{"version":1,"paths":{"192.0.2.1":{"rttMs":1,"packets":5,"lost":6}}}'],
  ["text for a number", '{"version":1,"paths":{"192.0.2.1":{"rttMs":"1","packets":5,"lost":0}}}'],
  ["null for a path", '{"version":1,"paths":{"192.0.2.1":null}}'],
  ["too much", `{"version":1,"paths":{}}${" ".repeat(1 << 17)}`],
];
for (const [name, text] of files) {
  Deno.test(`readPaths() takes a file with ${name} for none`, () => {
    using folder = temporaryFolder();
    Deno.writeTextFileSync(join(folder.path, PATHS_FILE), text);
    assert.deepEqual(readPaths(folder.path, logger), []);
  });
}

Deno.test("readPaths() knows nothing where there is no file", () => {
  using folder = temporaryFolder();
  assert.deepEqual(readPaths(folder.path, logger), []);
});
