/** Two devices that nobody gave an address: paired, found and synced through the command line. */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { type CableOptions, canMakeHosts, TwoHosts } from "../support/cables.ts";
import { CliDevice, type CommandResult } from "../support/cli_device.ts";
import { assertSameTree, temporaryFolder, writeTree } from "../support/tree.ts";

const canMake = await canMakeHosts();
/** These devices are to be heard: there is nobody else on the cable. */
const HEARD = { env: { LANDROPIC_NO_DISCOVERY: "0" } };
const LINK_LOCAL = /^\[fe80::[0-9a-f:]+%\w+\]:\d+$/;

function netTest(name: string, fn: () => Promise<void>): void {
  const why = canMake ? "" : " (skipped: needs root, ip(8) and network namespaces)";
  Deno.test({ name: `${name}${why}`, ignore: !canMake, fn });
}

/** A device on one of the hosts, which may use the network. */
class NetDevice extends CliDevice {
  async hear(...args: string[]): Promise<CommandResult> {
    const result = await this.runWith(HEARD, ...args);
    assert.equal(result.code, 0, `${args.join(" ")}: ${result.stdout}${result.stderr}`);
    return result;
  }

  /** Serves a new folder on the default port; resolves once it listens. */
  async offer(folder: string, ...args: string[]) {
    mkdirSync(folder, { recursive: true });
    const serving = this.start(["serve", folder, ...args], HEARD);
    await serving.listening(20_000);
    return serving;
  }

  forgetAddresses(): void {
    const path = `${this.home}/peers.json`;
    const text = readFileSync(path, "utf8");
    const document = JSON.parse(text, (key, value) => key === "addresses" ? [] : value);
    assert.notEqual(JSON.stringify(document), JSON.stringify(JSON.parse(text)));
    writeFileSync(path, JSON.stringify(document));
  }
}

/** Devices a and b on hosts of that name, and a folder to sync. */
async function setUp(options: CableOptions = {}) {
  const stack = new AsyncDisposableStack();
  const folder = stack.use(temporaryFolder()).path;
  const net = stack.use(await TwoHosts.make(options));
  const device = (host: "a" | "b") =>
    new NetDevice(host, `${folder}/home-${host}`, net.within(host));
  const [left, right] = [`${folder}/left`, `${folder}/right`];
  writeTree(left, { file: "x", folder: { inner: "y".repeat(5000) } });
  return { a: device("a"), b: device("b"), net, left, right, stack };
}

async function trustEachOther(a: CliDevice, b: CliDevice): Promise<void> {
  await a.trust(b, "beta");
  await b.trust(a, "alpha");
}

netTest("two devices without a configured address pair by a code, and sync by name", async () => {
  const { a, b, left, right, stack } = await setUp();
  await using _ = stack;
  const showing = a.start(["pair", "--name", "beta"], HEARD);
  const { code } = await showing.waitFor(({ event }) => event === "pairing");
  const joined = await b.runWith({ ...HEARD, stdin: `${code}\n` }, "pair", "-", "--name", "alpha");
  assert.equal(joined.code, 0, joined.stderr);
  assert.match(joined.stdout, new RegExp(`^Paired with alpha \\(${await a.id()}, \\[fe80::`, "m"));
  const shown = await showing.end();
  assert.equal(shown.code, 0, shown.stderr);
  const paired = shown.events.at(-1)!;
  assert.deepEqual([paired["name"], paired["id"]], ["beta", await b.id()]);
  assert.match(paired["address"] as string, LINK_LOCAL);
  await using _serving = await a.offer(right);
  await b.hear("sync", "alpha", left, "--push");
  assertSameTree(right, left);
  // Now by what it announces alone.
  b.forgetAddresses();
  const { events } = await b.hear("sync", "alpha", left, "--push", "--json");
  const connected = events.find(({ event }) => event === "connected")!;
  assert.match(connected["address"] as string, LINK_LOCAL);
});

netTest("an invitation without an address in it finds its device all the same", async () => {
  const { a, b, stack } = await setUp();
  await using _ = stack;
  const showing = a.start(["pair"], HEARD);
  const { invitation } = await showing.waitFor(({ event }) => event === "pairing");
  const env = { ...HEARD.env, LANDROPIC_INVITATION: invitation as string };
  const joined = await b.runWith({ env }, "pair", "--name", "alpha", "--json");
  assert.equal(joined.code, 0, joined.stderr);
  assert.match(joined.events.at(-1)!["address"] as string, LINK_LOCAL);
  assert.equal((await showing.end()).code, 0);
});

netTest("discover, peers, status and doctor see a device that serves, on two cables", async () => {
  const { a, b, right, stack } = await setUp({ cables: 2, addresses: true });
  await using _ = stack;
  await trustEachOther(a, b);
  const absent = (await b.hear("peers", "--json")).events[0]!;
  assert.deepEqual([absent["name"], absent["online"], absent["address"]], ["alpha", false, null]);
  await using _serving = await a.offer(right);
  const { events: devices } = await b.hear("discover", "--timeout", "1500ms", "--json");
  assert.equal(devices.length, 1);
  const { name, id, trusted } = devices[0]!;
  assert.deepEqual([name, trusted], ["alpha", true]);
  assert.equal((await a.id()).replaceAll("-", "").slice(0, 8), id);
  // It looks for one second, which a machine that is busy with other tests may take to start the look.
  let there = absent;
  for (let tries = 0; tries < 5 && there["online"] !== true; tries++) {
    there = (await b.hear("peers", "--json")).events[0]!;
  }
  assert.equal(there["online"], true);
  const status = (await b.hear("status", "alpha", "--json")).events[0]!;
  assert.deepEqual(status["shares"], [{ name: "default", access: "read-write" }]);
  assert.ok((status["pathMtu"] as number) >= 1400);
  const { events: checks } = await b.hear("doctor", "alpha", "--json");
  assert.ok(checks.every(({ ok }) => ok === true));
  const multicast = checks.find(({ name }) => name === "multicast")!;
  assert.equal((multicast["message"] as string).match(/IPv4|IPv6/g)!.length, 4);
});

netTest(
  "sync --wait takes a peer as soon as it appears, and --all every one that is there",
  async () => {
    const { a, b, left, right, stack } = await setUp();
    await using _ = stack;
    await trustEachOther(a, b);
    const syncing = b.start(
      ["sync", "alpha", left, "--push", "--wait", "60s", "--retry", "0"],
      HEARD,
    );
    await using _serving = await a.offer(right);
    const synced = await syncing.end();
    assert.equal(synced.code, 0, synced.stderr);
    assertSameTree(right, left);
    const { events } = await b.hear("sync", "--all", left, "--push", "--json");
    assert.ok(events.every(({ peer }) => peer === "alpha"));
    assert.equal(events.at(-1)!["event"], "summary");
  },
);

netTest("with --no-discovery not one datagram leaves a device that serves", async () => {
  const { a, b, net, right, stack } = await setUp();
  await using _ = stack;
  await trustEachOther(a, b);
  {
    await using _serving = await a.offer(right, "--no-discovery");
    const seen = await b.hear("discover", "--timeout", "1s", "--json");
    assert.deepEqual(seen.events, []);
    assert.equal(await datagramsSent(net), 0);
  }
  await using _serving = await a.offer(right);
  const seen = await b.hear("discover", "--timeout", "2s", "--json");
  assert.equal(seen.events.length, 1);
  assert.ok(await datagramsSent(net) > 0);
});

/** UDP datagrams that host a has sent since it was made. */
async function datagramsSent(net: TwoHosts): Promise<number> {
  const [program, ...args] = [...net.within("a"), "cat", "/proc/net/snmp", "/proc/net/snmp6"];
  const { stdout } = await new Deno.Command(program!, { args }).output();
  const text = new TextDecoder().decode(stdout);
  const [, header, values] = /^(Udp: .*OutDatagrams.*)\n(Udp: .*)$/m.exec(text)!;
  const column = header!.split(" ").indexOf("OutDatagrams");
  const ipv6 = /^Udp6OutDatagrams\s+(\d+)$/m.exec(text)![1];
  return Number(values!.split(" ")[column]) + Number(ipv6);
}
