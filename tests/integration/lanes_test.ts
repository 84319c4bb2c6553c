/** Connections in threads of their own, through the command line. */
import assert from "node:assert/strict";
import * as fs from "node:fs";
import { ServingDevice, trustingPair } from "../support/cli_device.ts";
import { noise } from "../support/sync_scene.ts";
import { assertSameTree, temporaryFolder } from "../support/tree.ts";

const ROUNDS_MAX = 8;
/** After the round in which threads have come to help, as many more with all kinds of work for them. */
const MORE_ROUNDS = 2;
const MIB = 2 ** 20;

let seed = 0;

/** Work for every kind of job: small files, whole large files, and changes in a large one. */
function change(folder: string, side: string, round: number): void {
  const work = `${folder}/${side}-${round}`;
  fs.mkdirSync(work);
  for (let i = 0; i < 300; i++) fs.writeFileSync(`${work}/small-${i}`, noise(2000 + i, ++seed));
  for (let i = 0; i < 3; i++) {
    fs.writeFileSync(`${work}/large-${i}`, noise((9 + 3 * i) * MIB, ++seed));
  }
  const old = `${folder}/${side}-${round - 1}/large-2`;
  if (!fs.existsSync(old)) return;
  const bytes = fs.readFileSync(old);
  bytes.set(noise(6 * MIB, ++seed), MIB);
  fs.writeFileSync(`${old}.new`, bytes);
  fs.renameSync(`${old}.new`, old);
}

/** What arrives last of each file is its name, so a look at the sizes is enough. */
function isThere(left: string, right: string, round: number): boolean {
  for (const side of ["left", "right"]) {
    const names = fs.readdirSync(`${side === "left" ? left : right}/${side}-${round}`);
    for (const [from, to] of [[left, right], [right, left]]) {
      for (const name of names) {
        const path = `${side}-${round}/${name}`;
        const [own, other] = [from, to].map((folder) =>
          fs.statSync(`${folder}/${path}`, { throwIfNoEntry: false })
        );
        if (own?.size !== other?.size || own?.mtimeMs !== other?.mtimeMs) return false;
      }
      const old = `${side}-${round - 1}/large-2`;
      const times = [from, to].map((folder) =>
        fs.statSync(`${folder}/${old}`, { throwIfNoEntry: false })?.mtimeMs
      );
      if (times[0] !== times[1]) return false;
    }
  }
  return true;
}

Deno.test({
  name: "sync --connections 3 has threads move bytes both ways, and every byte arrives",
  ignore: Deno.build.os !== "linux" || navigator.hardwareConcurrency < 2,
  async fn() {
    using folder = temporaryFolder();
    const [a, b] = await trustingPair(folder.path);
    const [left, right] = [`${folder.path}/left`, `${folder.path}/right`];
    fs.mkdirSync(left);
    fs.mkdirSync(right);
    await using server = await b.serveWith({ env: { LANDROPIC_VERBOSE: "2" } }, right);
    const args = ["sync", "b", left, "--watch", "--connections", "3", "-vv", "--json"];
    await using watching = new ServingDevice(a.spawn([...args, "--address", server.address]));
    const connections = () => server.events.map((event) => Number(event["connections"] ?? 0));
    let more = 0;
    for (let round = 1; round <= ROUNDS_MAX && more < MORE_ROUNDS; round++) {
      if (connections().includes(3)) more++;
      change(left, "left", round);
      change(right, "right", round);
      for (let tries = 0; tries < 300 && !isThere(left, right, round); tries++) {
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
      assertSameTree(left, right);
    }
    assert.equal(more, MORE_ROUNDS, `never over three connections: ${connections()}`);
    const { code, stderr } = await watching.stop("SIGINT");
    assert.equal(code, 130);
    assert.match(stderr, /another thread helps/);
    assert.doesNotMatch(stderr, /panicked|A thread failed/);
    const served = await server.stop("SIGINT");
    assert.match(served.stderr, /another thread serves/);
    assert.doesNotMatch(served.stderr, /panicked|A thread failed/);
    assert.equal(served.code, 130);
  },
});
