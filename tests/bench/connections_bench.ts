/**
 * What more connections to a peer bring on a network: a first copy of several incompressible files between
 * two hosts in network namespaces (root), once with each number of connections, in turns.
 *
 *     deno run -A tests/bench/connections_bench.ts --link lossy
 *
 * Options: `--link lan1g|wan|lossy`, `--connections 1,2,4`, `--files 8`, `--mib 16` each, `--rounds 3`.
 * Over loopback, and with processor time and memory: `LANDROPIC_CONNECTIONS=2 deno task bench text`.
 */
import * as fs from "node:fs";
import { parseArgs } from "node:util";
import { Netlab, parseNetProfile } from "../support/netlab/netlab.ts";
import { CliDevice, ServingDevice } from "../support/cli_device.ts";
import { noise } from "../support/sync_scene.ts";
import { temporaryFolder } from "../support/tree.ts";

const { values } = parseArgs({
  options: {
    link: { type: "string", default: "lossy" },
    connections: { type: "string", default: "1,2,4" },
    files: { type: "string", default: "8" },
    mib: { type: "string", default: "16" },
    rounds: { type: "string", default: "3" },
  },
});

const profile = parseNetProfile(values.link);
const obstacle = await Netlab.obstacle(profile);
if (obstacle !== undefined) {
  console.log(`skipped: ${obstacle}`);
  Deno.exit(0);
}
await using lab = await Netlab.up(profile);
using folder = temporaryFolder();
const a = new CliDevice("a", `${folder.path}/home-a`, lab.command("a", []));
const b = new CliDevice("b", `${folder.path}/home-b`, lab.command("b", []));
await a.succeed("peers", "trust", await b.id(), "--name", "b");
await b.succeed("peers", "trust", await a.id(), "--name", "a");
const left = `${folder.path}/left`;
const right = `${folder.path}/right`;
fs.mkdirSync(left);
const bytes = Number(values.mib) * 1024 * 1024;
for (let i = 0; i < Number(values.files); i++) {
  fs.writeFileSync(`${left}/f${i}`, noise(bytes, i + 1));
}
for (let round = 0; round < Number(values.rounds); round++) {
  for (const count of values.connections.split(",")) {
    fs.rmSync(right, { recursive: true, force: true });
    fs.mkdirSync(right);
    const listen = ["--listen", `${lab.address("b")}:9876`, "--no-discovery", "--json"];
    await using server = new ServingDevice(b.spawn(["serve", right, ...listen]));
    await server.listening(20_000);
    const { events } = await a.succeed(
      ...["sync", "b", left, "--push", "--json", "--no-discovery"],
      ...["--address", `${lab.address("b")}:9876`, "--connections", count],
    );
    const { seconds, connections, bytesSent, wireSent } = events.at(-1)! as Record<string, number>;
    const rate = bytesSent! / seconds! / 1e6;
    const overhead = (wireSent! / bytesSent! - 1) * 100;
    console.log(
      `${profile} ${connections} connections: ${rate.toFixed(2)} MB/s, ${
        overhead.toFixed(1)
      } % more on the wire`,
    );
  }
}
