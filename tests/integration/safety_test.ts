import assert from "node:assert/strict";
import * as fs from "node:fs";
import { type CliDevice, type ServingDevice, trustingPair } from "../support/cli_device.ts";
import { assertSameTree, describeTree, temporaryFolder, writeTree } from "../support/tree.ts";

const OLD_MS = 1_700_000_000_123;

/** Two folders of 25 files in step, one of them served. */
async function inStep(path: string): Promise<{
  a: CliDevice;
  server: ServingDevice;
  left: string;
  right: string;
  names: string[];
  sync: (...flags: string[]) => ReturnType<CliDevice["run"]>;
}> {
  const [a, b] = await trustingPair(path);
  const [left, right] = [`${path}/left`, `${path}/right`];
  const names = Array.from({ length: 25 }, (_, i) => `${i % 5}/file ${i}`);
  for (const name of names) writeTree(`${left}/${name[0]}`, { [name.slice(2)]: name }, OLD_MS);
  fs.mkdirSync(right);
  const server = await b.serve(right);
  const sync = (...flags: string[]) =>
    a.run("sync", "b", left, "--address", server.address, "--json", ...flags);
  assert.equal((await sync()).code, 0);
  return { a, server, left, right, names, sync };
}

function encryptAll(folder: string, names: readonly string[]): void {
  for (const name of names) fs.writeFileSync(`${folder}/${name}`, `encrypted ${Math.random()}`);
}

for (const where of ["left", "right"] as const) {
  Deno.test(`a sync refuses with exit 5 when every file on the ${where} side has changed`, async () => {
    using temporary = temporaryFolder();
    const { server, names, sync, ...folders } = await inStep(temporary.path);
    await using _ = server;
    const other = where === "left" ? folders.right : folders.left;
    encryptAll(folders[where], names);
    writeTree(folders[where], { "READ ME": "pay" });
    const before = describeTree(other);
    const refused = await sync();
    assert.equal(refused.code, 5, refused.stderr);
    const error = refused.events.find(({ event }) => event === "error")!;
    assert.match(error["message"] as string, /Every file on .* has changed since the last sync/);
    assert.match(error["hint"] as string, /--replace-all/);
    assert.deepEqual(describeTree(other), before);
    assert.equal((await sync("--dry-run")).code, 5);
    assert.deepEqual(describeTree(other), before);
    assert.equal((await sync("--replace-all")).code, 0);
    assertSameTree(folders.left, folders.right);
    assert.match(fs.readFileSync(`${other}/${names[0]}`, "utf8"), /^encrypted/);
  });
}

Deno.test("a sync carries on where one of many files is as it was", async () => {
  using temporary = temporaryFolder();
  const { server, names, sync, left, right } = await inStep(temporary.path);
  await using _ = server;
  encryptAll(left, names.slice(1));
  assert.equal((await sync()).code, 0);
  assertSameTree(left, right);
});

for (
  const [what, shifts] of [["one side", [3_600_000, 0]], ["both sides", [
    3_600_000,
    -7_200_000,
  ]]] as const
) {
  Deno.test(`times that are off by hours on ${what} are settled without a byte and without a conflict`, async () => {
    using temporary = temporaryFolder();
    const { server, names, sync, left, right } = await inStep(temporary.path);
    await using _ = server;
    for (const [i, folder] of [left, right].entries()) {
      const seconds = (OLD_MS + shifts[i]!) / 1000;
      if (shifts[i] !== 0) {
        for (const name of names) fs.utimesSync(`${folder}/${name}`, seconds, seconds);
      }
    }
    const { code, events, stderr } = await sync();
    assert.equal(code, 0, stderr);
    const { bytesSent, bytesReceived, conflicts } = events.at(-1)!;
    assert.deepEqual([bytesSent, bytesReceived, conflicts], [0, 0, 0]);
    assertSameTree(left, right);
    assert.equal(describeTree(left).filter((line) => line.includes("file")).length, 25);
  });
}
