/**
 * What a run learns of the network path to a peer, between two hosts made of network namespaces: through
 * real processes and the command line, over links with the rate, the delay and the losses of their kind.
 */
import assert from "node:assert/strict";
import * as fs from "node:fs";
import { isDeepStrictEqual } from "node:util";
import { PATHS_FILE, readPaths } from "../../src/orchestrator/path_file.ts";
import { silentLogger } from "../../src/base/log.ts";
import { classifyPath } from "../../src/quic/mod.ts";
import { CliDevice } from "../support/cli_device.ts";
import { type Host, Netlab, type NetProfile } from "../support/netlab/netlab.ts";
import { temporaryFolder } from "../support/tree.ts";

const PORT = 9876;
/** Two seconds of the slower links. */
const FILE_BYTES = 24 << 20;
/** Enough to find out; */
const RUNS = 2;
/** but where both hosts wait for processors, a round trip of nothing may look like 4 ms once. */
const RUNS_MAX = 5;

const links: readonly [profile: NetProfile, pathClass: string][] = [
  ["lan1g", "lan"],
  ["wan", "wan"],
  ["lossy", "lossy"],
];
for (const [profile, pathClass] of links) {
  const obstacle = await Netlab.obstacle(profile);
  const why = obstacle === undefined ? "" : ` (skipped: ${obstacle})`;
  Deno.test({
    name: `a few runs over a link of the kind "${profile}" find out that it is ${pathClass}${why}`,
    ignore: obstacle !== undefined,
    fn: () => learn(profile, pathClass),
  });
}

async function learn(profile: NetProfile, pathClass: string): Promise<void> {
  using folder = temporaryFolder();
  await using lab = await Netlab.up(profile);
  const device = (host: Host) =>
    new CliDevice(host, `${folder.path}/home-${host}`, [...lab.command(host, [])]);
  const [a, b] = [device("a"), device("b")];
  await a.trust(b, "b", `${lab.address("b")}:${PORT}`);
  await b.trust(a, "a");
  const [left, right] = [`${folder.path}/left`, `${folder.path}/right`];
  fs.mkdirSync(left);
  fs.mkdirSync(right);
  await using serving = b.start(["serve", right, "--listen", `0.0.0.0:${PORT}`]);
  await serving.listening(20_000);
  const learnt = () => readPaths(a.home, silentLogger);
  const classes = () => learnt().map(([host, path]) => [host, classifyPath(path)]);
  const expected = [[lab.address("b"), pathClass]];
  for (let run = 0; run < RUNS_MAX; run++) {
    if (run >= RUNS && isDeepStrictEqual(classes(), expected)) break;
    fs.writeFileSync(`${left}/${run}`, noise(FILE_BYTES));
    await a.succeed("sync", "b", left, "--push");
    assert.ok(fs.readFileSync(`${right}/${run}`).equals(fs.readFileSync(`${left}/${run}`)));
  }
  assert.deepEqual(classes(), expected, `${PATHS_FILE}: ${JSON.stringify(learnt())}`);
}

function noise(byteLength: number): Uint8Array {
  const bytes = new Uint8Array(byteLength);
  for (let at = 0; at < byteLength; at += 65_536) {
    crypto.getRandomValues(bytes.subarray(at, at + 65_536));
  }
  return bytes;
}
