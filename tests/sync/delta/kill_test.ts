import assert from "node:assert/strict";
import { assertSameTree, temporaryFolder, writeTree } from "../../support/tree.ts";
import { joined, noise, partialNames } from "./support.ts";

const VICTIM = new URL("./kill_victim.ts", import.meta.url).pathname;
const MIB = 2 ** 20;
/** A window of each of three streams, and the front of a chunk. */
const SLACK_BYTES = 3 * (MIB + 256 * 1024 + 128 * 1024);

/** Bytes that were fetched, or -1 if the process was killed. */
async function victim(path: string, killAt: number): Promise<number> {
  const { stdout, stderr, signal } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--quiet", VICTIM, path, String(killAt)],
  }).output();
  if (signal === "SIGKILL") return -1;
  const text = new TextDecoder().decode(stdout);
  assert.match(text, /^\d+\n$/, new TextDecoder().decode(stderr));
  return Number(text);
}

Deno.test("killed processes leave what came, whole files and edited ones, and the next goes on", async () => {
  using temporary = temporaryFolder();
  const { path } = temporary;
  const contents = noise(20 * MIB, "killed");
  writeTree(`${path}/left`, { f: contents });
  Deno.mkdirSync(`${path}/right`);
  assert.equal(await victim(path, 9 * MIB), -1);
  assert.equal(partialNames(`${path}/right`).filter((name) => name.endsWith(".part")).length, 1);
  // The second run assembles what the first one began whole, and is killed too.
  assert.equal(await victim(path, 6 * MIB), -1);
  const fetched = await victim(path, Infinity);
  assert.ok(fetched >= 0 && fetched <= 5 * MIB + 2 * SLACK_BYTES, `${fetched} fetched at last`);
  assertSameTree(`${path}/right`, `${path}/left`);
  assert.deepEqual(partialNames(`${path}/right`), []);

  writeTree(
    `${path}/left`,
    { f: joined(noise(12 * MIB, "front"), contents) },
    1_700_000_100_000,
  );
  assert.equal(await victim(path, 5 * MIB), -1);
  const rest = await victim(path, Infinity);
  assert.ok(rest >= 0 && rest <= 7 * MIB + MIB + SLACK_BYTES, `${rest} fetched at last`);
  assertSameTree(`${path}/right`, `${path}/left`);
  assert.deepEqual(partialNames(`${path}/right`), []);
});
