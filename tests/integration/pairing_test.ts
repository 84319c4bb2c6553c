/** Pairing and everything after it, through the command line: two processes on loopback. */
import assert from "node:assert/strict";
import * as fs from "node:fs";
import { join } from "node:path";
import { CliDevice, type ServingDevice, trustingPair } from "../support/cli_device.ts";
import { assertSameTree, temporaryFolder, writeTree } from "../support/tree.ts";

const LISTEN = ["--listen", "127.0.0.1:0"];

/** What a device that waits to be paired with has shown. */
interface Shown {
  readonly process: ServingDevice;
  readonly code: string;
  readonly invitation: string;
  readonly address: string;
}

async function show(device: CliDevice, ...args: string[]): Promise<Shown> {
  const process = device.start(["pair", ...LISTEN, ...args]);
  const event = await process.waitFor(({ event }) => event === "pairing");
  const [code, invitation] = [event["code"] as string, event["invitation"] as string];
  return { process, code, invitation, address: `127.0.0.1:${event["port"]}` };
}

function setUp() {
  const folder = temporaryFolder();
  const device = (name: string) => new CliDevice(name, join(folder.path, name));
  return { folder, a: device("a"), b: device("b"), c: device("c"), device };
}

async function namesOf(device: CliDevice): Promise<unknown[]> {
  return (await device.succeed("peers", "--json")).events.map(({ name }) => name);
}

/** The code with its last word replaced by another one of the list. */
function wrong(code: string): string {
  const word = code.endsWith("-zoo") ? "zone" : "zoo";
  return code.replace(/-[a-z]+$/, `-${word}`);
}

Deno.test("pair on one device and pair CODE on the other make them trust each other", async () => {
  const { folder, a, b } = setUp();
  using _ = folder;
  const shown = await show(a, "--name", "beta");
  const joined = await b.succeed("pair", shown.code, "--address", shown.address, "--name", "alpha");
  const [idA, idB] = [await a.id(), await b.id()];
  assert.match(
    joined.stdout,
    new RegExp(`^Paired with alpha \\(${idA}, ${shown.address}\\)\\.$`, "m"),
  );
  const { code, events, stderr } = await shown.process.end();
  assert.equal(code, 0, stderr);
  const paired = events.at(-1)!;
  assert.deepEqual([paired["event"], paired["name"], paired["id"]], ["paired", "beta", idB]);
  writeTree(`${folder.path}/left`, { file: "x" });
  fs.mkdirSync(`${folder.path}/right`);
  await using server = await a.serve(`${folder.path}/right`);
  await b.succeed("sync", "alpha", `${folder.path}/left`, "--push", "--address", server.address);
  assertSameTree(`${folder.path}/right`, `${folder.path}/left`);
});

Deno.test("secrets come by stdin or the environment, and are in no log and no process list", async () => {
  const { folder, a, b, c } = setUp();
  using _ = folder;
  const shown = await show(a, "-vv", "--log-format", "json");
  const { address, invitation } = shown;
  const words = shown.code.split("-").slice(1);
  const reveals = (text: string) =>
    words.some((word) => new RegExp(`\\b${word}\\b`).test(text)) ||
    text.includes(invitation.slice(5));
  const joining = b.start(["pair", "-", "--address", address, "-vv", "--log-format", "json"], {
    stdin: `${shown.code}\n`,
  });
  for (const { pid } of [shown.process, joining]) {
    if (Deno.build.os === "linux") assert.ok(!reveals(commandLineOf(pid)));
  }
  const [joined, host] = await Promise.all([joining.end(), shown.process.end()]);
  assert.deepEqual([joined.code, host.code], [0, 0], joined.stderr + host.stderr);
  assert.ok(!reveals(joined.stderr) && !reveals(JSON.stringify(joined.events)), joined.stderr);
  assert.ok(!reveals(host.stderr), host.stderr);
  assert.equal(host.events.filter((event) => reveals(JSON.stringify(event))).length, 1);
  const next = await show(a);
  const env = { LANDROPIC_INVITATION: next.invitation };
  const invited = await c.runWith({ env }, "pair", "-vv");
  assert.equal(invited.code, 0, invited.stderr);
  assert.ok(!invited.stderr.includes(next.invitation.slice(5, 40)));
  assert.equal((await next.process.end()).code, 0);
});

Deno.test("three wrong codes end pairing with exit 11 on both sides; the fourth is not even tried", async () => {
  const { folder, a, b } = setUp();
  using _ = folder;
  const shown = await show(a);
  const tries = ["--address", shown.address, "--timeout", "3s"];
  for (let i = 0; i < 3; i++) {
    const { code, stderr } = await b.run("pair", wrong(shown.code), ...tries);
    assert.equal(code, 11, stderr);
    assert.match(stderr, /^landropic: Cannot pair: the codes of the two devices differ$/m);
    assert.match(stderr, /^hint: Check the code/m);
  }
  const host = await shown.process.end();
  assert.equal(host.code, 11, host.stderr);
  assert.match(host.events.at(-1)!["message"] as string, /mistyped, or someone is guessing/);
  assert.deepEqual(
    host.stderr.match(/attemptsLeft=\d/g),
    [2, 1, 0].map((n) => `attemptsLeft=${n}`),
  );
  const fourth = await b.run("pair", shown.code, ...tries);
  assert.equal(fourth.code, 15, fourth.stderr);
  assert.match(fourth.stderr, /nobody who pairs answered at/);
  assert.deepEqual([await namesOf(a), await namesOf(b)], [[], []]);
});

Deno.test("a code that nobody used in time ends with exit 15, and so does looking for one in vain", async () => {
  const { folder, a, b } = setUp();
  using _ = folder;
  const shown = await show(a, "--timeout", "1s");
  const { code, events } = await shown.process.end();
  assert.equal(code, 15);
  assert.match(events.at(-1)!["message"] as string, /before the code expired/);
  const late = await b.run("pair", shown.code, "--address", shown.address, "--timeout", "1s");
  assert.equal(late.code, 15);
  assert.match(late.stderr, /^hint: .*--address/m);
});

Deno.test("a mistyped word is named before an attempt is spent, and words may be cut short", async () => {
  const { folder, a, b } = setUp();
  using _ = folder;
  const shown = await show(a);
  const typo = await b.run("pair", "42-aple-river-stone", "--address", shown.address);
  assert.equal(typo.code, 2);
  assert.match(typo.stderr, /^hint: Did you mean .*"apple".*\? No attempt was spent\.$/m);
  const short = shown.code.split("-").map((part) => part.slice(0, 4)).join(" ").toUpperCase();
  await b.succeed("pair", short, "--address", shown.address);
  const host = await shown.process.end();
  assert.deepEqual([host.code, host.stderr], [0, ""]);
});

Deno.test("an invitation pairs with the device that made it and with no other", async () => {
  const { folder, a, b, c } = setUp();
  using _ = folder;
  const [shown, other] = [await show(a), await show(c)];
  const misled = await b.run("pair", shown.invitation, "--address", other.address);
  assert.equal(misled.code, 11, misled.stderr);
  assert.match(misled.stderr, /is not the one that made the invitation/);
  assert.equal((await other.process.stop()).stderr, "", "it was left before a word was said");
  const broken = await b.run(
    "pair",
    shown.invitation.replace(/.$/, (last) => last === "A" ? "B" : "A"),
  );
  assert.equal(broken.code, 2, broken.stderr);
  const cut = await b.run("pair", shown.invitation.slice(0, -9));
  assert.equal(cut.code, 2, cut.stderr);
  assert.deepEqual(await namesOf(b), []);
  await b.succeed("pair", shown.invitation);
  const host = await shown.process.end();
  assert.deepEqual([host.code, host.stderr], [0, ""]);
});

Deno.test("pair ends with exit 130 on Ctrl-C, on either side, and nobody is trusted", async () => {
  const { folder, a, b } = setUp();
  using _ = folder;
  const shown = await show(a);
  const joining = b.start(["pair", shown.code, "--address", "127.0.0.1:9"]);
  await new Promise((resolve) => setTimeout(resolve, 1000));
  assert.equal((await joining.stop()).code, 130);
  assert.equal((await shown.process.stop()).code, 130);
  assert.deepEqual([await namesOf(a), await namesOf(b)], [[], []]);
});

Deno.test("peers rename and remove change whom commands mean, and pairing brings a peer back", async () => {
  const { folder } = setUp();
  using _ = folder;
  const [a, b] = await trustingPair(folder.path);
  // One letter would do to name the device by its id where that begins with it.
  await a.succeed("peers", "rename", "b", "laptop");
  await a.succeed("peers", "rename", "laptop", "nas");
  assert.deepEqual(await namesOf(a), ["nas"]);
  assert.equal((await a.run("status", "laptop")).code, 11);
  await a.succeed("peers", "remove", "nas");
  assert.deepEqual(await namesOf(a), []);
  const removed = await a.run("status", "nas");
  assert.equal(removed.code, 11);
  assert.match(removed.stderr, /was removed from the trusted peers/);
  const shown = await show(b);
  await a.succeed("pair", shown.code, "--address", shown.address);
  assert.equal((await shown.process.end()).code, 0);
  assert.equal((await namesOf(a)).length, 1);
});

Deno.test("a peer that is removed during a transfer is cut off with exit 11, and stays out", async () => {
  const { folder } = setUp();
  using _ = folder;
  const [a, b] = await trustingPair(folder.path);
  const [left, right] = [`${folder.path}/left`, `${folder.path}/right`];
  const noise = new Uint8Array(24 << 20);
  for (let i = 0; i < noise.length; i += 65536) {
    crypto.getRandomValues(noise.subarray(i, i + 65536));
  }
  writeTree(left, { large: noise });
  fs.mkdirSync(right);
  await using server = await b.serve(right);
  const args = ["sync", "b", left, "--push", "--address", server.address];
  const syncing = a.start([...args, "--bwlimit", "1M"]);
  // At this rate it takes 24 s; by the time it tells of its progress it is under way.
  await syncing.waitFor(({ event }) => event === "progress");
  await b.succeed("peers", "remove", "a");
  const cut = await syncing.end();
  assert.equal(cut.code, 11, cut.stderr);
  const ended = await server.waitFor(({ event }) => event === "session-end");
  assert.equal(ended["ok"], false);
  assert.ok(!fs.existsSync(`${right}/large`));
  assert.equal((await a.run(...args)).code, 11);
});

Deno.test("serve --allow lets in whom it names, and no other trusted peer", async () => {
  const { folder, c } = setUp();
  using _ = folder;
  const [a, b] = await trustingPair(folder.path);
  await b.succeed("peers", "trust", await c.id(), "--name", "c");
  await c.succeed("peers", "trust", await b.id(), "--name", "b");
  const [left, right] = [`${folder.path}/left`, `${folder.path}/right`];
  writeTree(left, { file: "x" });
  fs.mkdirSync(right);
  await using server = await b.serve(right, "--allow", "a");
  const args = ["sync", "b", left, "--push", "--address", server.address];
  const refused = await c.run(...args);
  assert.equal(refused.code, 11, refused.stderr);
  assert.match(refused.stderr, /"b" does not trust this device, or not for what it serves now/);
  await a.succeed(...args);
  assertSameTree(right, left);
});

Deno.test("id --rotate begins to move to a new key, and peers hear of it in the next session", async () => {
  const { folder } = setUp();
  using _ = folder;
  const [a, b] = await trustingPair(folder.path);
  const [left, right] = [`${folder.path}/left`, `${folder.path}/right`];
  writeTree(left, { file: "x" });
  fs.mkdirSync(right);
  const [begun] = (await a.succeed("id", "--rotate", "--json")).events;
  const [again] = (await a.succeed("id", "--rotate", "--json")).events;
  assert.deepEqual([begun!["id"], begun!["nextId"]], [again!["id"], again!["nextId"]]);
  assert.notEqual(begun!["id"], begun!["nextId"]);
  const server = await b.serve(right);
  await a.succeed("sync", "b", left, "--push", "--address", server.address);
  const { stderr } = await server.stop();
  assert.match(
    stderr,
    new RegExp(`"a" is moving to a new key; its id will be ${begun!["nextId"]}`),
  );
  // The new id already means the peer.
  await b.succeed("peers", "rename", begun!["nextId"] as string, "renamed");
});

Deno.test("sync --all syncs with every peer that is there, one summary each, and the worst exit code", async () => {
  const { folder, c } = setUp();
  using _ = folder;
  const [a, b] = await trustingPair(folder.path);
  const away = new CliDevice("away", `${folder.path}/home-away`);
  for (const [name, device] of [["c", c], ["away", away]] as const) {
    await device.succeed("peers", "trust", await a.id(), "--name", "a");
    await a.succeed(
      "peers",
      "trust",
      await device.id(),
      "--name",
      name,
      "--address",
      "127.0.0.1:9",
    );
  }
  const left = `${folder.path}/left`;
  writeTree(left, { file: "x" });
  for (const right of ["b", "c"]) fs.mkdirSync(`${folder.path}/right-${right}`);
  await using serverB = await b.serve(`${folder.path}/right-b`);
  await using serverC = await c.serve(`${folder.path}/right-c`);
  const reach = async (name: string, device: CliDevice, server: ServingDevice) =>
    await a.succeed(
      "peers",
      "trust",
      await device.id(),
      "--name",
      name,
      "--address",
      server.address,
    );
  await Promise.all([reach("b", b, serverB)]);
  await reach("c", c, serverC);
  const first = await a.run("sync", "--all", left, "--json");
  assert.equal(first.code, 0, first.stdout);
  for (const right of ["b", "c"]) assertSameTree(`${folder.path}/right-${right}`, left);
  const summaries = first.events.filter(({ event }) => event === "summary");
  assert.deepEqual(summaries.map(({ peer, ok }) => [peer, ok]), [["b", true], ["c", true]]);
  assert.equal(first.events.at(-1)!["event"], "summary");
  const skipped = first.events.filter(({ event }) => event === "skipped");
  assert.deepEqual(skipped.map(({ peer }) => peer), ["away"]);
  assert.ok(first.events.every(({ peer }) => typeof peer === "string"));
  // One of them now refuses: the other one is synced all the same.
  await c.succeed("peers", "remove", "a");
  // A server takes over what another command changed within half a second.
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  writeTree(`${left}/more`, { file: "y" });
  const second = await a.run("sync", "--all", left, "--push");
  assert.equal(second.code, 11, second.stdout + second.stderr);
  assertSameTree(`${folder.path}/right-b`, left);
  assert.match(second.stdout, /^b:\n/m);
  assert.match(second.stdout, /^away is left out: /m);
  assert.match(second.stderr, /"c" does not trust this device/);
});

Deno.test("sync --all fails with exit 10 where no peer is there, and says when there is none", async () => {
  const { folder, a, b } = setUp();
  using _ = folder;
  const none = await a.run("sync", "--all", folder.path, "--push");
  assert.equal(none.code, 10);
  assert.match(none.stderr, /No peer is trusted yet/);
  await a.succeed("peers", "trust", await b.id(), "--name", "b", "--address", "127.0.0.1:9");
  const away = await a.run("sync", "--all", folder.path, "--push", "--json");
  assert.equal(away.code, 10, away.stdout);
  assert.deepEqual(away.events.map(({ event }) => event), ["skipped", "error", "summary"]);
});

Deno.test("status, doctor and peers tell of a peer that serves, and of one that does not", async () => {
  const { folder } = setUp();
  using _ = folder;
  const [a, b] = await trustingPair(folder.path);
  fs.mkdirSync(`${folder.path}/docs`);
  const own = (await a.succeed("status", "--json")).events[0]!;
  const [{ id } = {}] = (await a.succeed("id", "--json")).events;
  assert.deepEqual([own["id"], own["peers"], id], [await a.id(), 1, await a.id()]);
  {
    await using server = await b.serve("--share", `docs=${folder.path}/docs:ro`);
    const at = ["--address", server.address];
    const status = (await a.succeed("status", "b", ...at, "--json")).events[0]!;
    assert.deepEqual(status["shares"], [{ name: "docs", access: "read" }]);
    const online = (await a.succeed("peers", "--json")).events[0]!;
    assert.deepEqual([online["online"], online["address"]], [true, server.address]);
    const { events: checks } = await a.run("doctor", "b", ...at, "--json");
    const named = new Map(checks.map((check) => [check["name"], check["ok"]]));
    for (const name of [server.address, "trust", "shares", "path", "transport", "home"]) {
      assert.equal(named.get(name), true, name);
    }
  }
  const offline = (await a.succeed("peers", "--json")).events[0]!;
  assert.equal(offline["online"], false);
  const status = await a.run("status", "b", "--timeout", "500ms");
  assert.equal(status.code, 15, status.stderr);
  const doctor = await a.run("doctor", "b", "--timeout", "500ms");
  assert.equal(doctor.code, 1);
  assert.match(doctor.stdout, /^FAIL {2}127\.0\.0\.1:\d+: No answer.*\n {6}hint: /m);
});

function commandLineOf(pid: number): string {
  return fs.readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
}
