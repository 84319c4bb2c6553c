/** Discovery between two hosts made of network namespaces, joined by two cables. */
import assert from "node:assert/strict";
import { hostname } from "node:os";
import type { PeerHint } from "../../src/discovery/mod.ts";

const TAG = `lp${(Deno.pid % 0xffff).toString(16)}`;
const HOSTS = ["a", "b"] as const;
const SEARCH_MS = 2500;

const canMakeNamespaces = await probe();
const name = (text: string) =>
  canMakeNamespaces ? text : `${text} (skipped: needs root, ip(8) and network namespaces)`;

Deno.test({
  name: name("MdnsDiscovery finds a peer over two cables, and says goodbye, without any route"),
  ignore: !canMakeNamespaces,
  async fn() {
    await using _net = await twoHosts("both");
    const run = await announceAndDiscover();
    const last = run.hints.at(-1)!;
    assert.deepEqual([last.idPrefix, last.slot], ["ABCDEFGH", 42]);
    const hosts = last.addresses.map(({ host }) => host);
    assert.deepEqual(
      hosts.filter((host) => !host.startsWith("fe80")).sort(),
      ["10.90.0.1", "10.91.0.1", "fd00:90::1", "fd00:91::1"],
    );
    const zones = hosts.filter((host) => host.startsWith("fe80")).map((host) => host.split("%")[1]);
    assert.deepEqual(zones.sort(), [`${TAG}0b`, `${TAG}1b`], "the zones of the searching host");
    for (const host of hosts) assert.ok(run.reached.has(host), `${host} is no way to the peer`);
    assert.ok(run.hints.every(({ instance }) => instance === last.instance));
    // Type PTR (12), class IN (1), no time to live: the peer shall forget the service.
    const goodbyes = run.wire.filter((bytes) => bytes.includes("\x00\x0c\x00\x01\x00\x00\x00\x00"));
    assert.ok(goodbyes.length > 0, `${run.wire.length} messages, none a goodbye`);
    if (hostname().length >= 4) {
      assert.ok(!run.wire.join().toLowerCase().includes(hostname().toLowerCase()));
    }
  },
});

Deno.test({
  name: name("MdnsDiscovery finds a peer where there is nothing but IPv6 link-local addresses"),
  ignore: !canMakeNamespaces,
  async fn() {
    await using _net = await twoHosts("linkLocal");
    const run = await announceAndDiscover();
    assert.ok(run.hints.length > 0);
    const zonesReached = new Set([...run.reached].map((host) => host.split("%")[1]));
    assert.deepEqual([...zonesReached].sort(), [`${TAG}0b`, `${TAG}1b`]);
  },
});

async function announceAndDiscover() {
  const announcer = spawn("a", ["announce", "ABCDEFGH", "42"]);
  const lines = announcer.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!text.includes("announced")) {
    const { value, done } = await lines.read();
    assert.ok(!done, `the announcing process ended: ${text}`);
    text += value;
  }
  const searching = spawn("b", ["discover", String(SEARCH_MS)]);
  const hints = jsonLines(await new Response(searching.stdout).text())
    .flatMap(({ hint }) => hint as PeerHint ?? []);
  assert.equal((await searching.status).code, 0);
  await announcer.stdin.close();
  for (let read; !(read = await lines.read()).done;) text += read.value;
  assert.equal((await announcer.status).code, 0);
  const seen = jsonLines(text);
  return {
    hints,
    reached: new Set(seen.flatMap(({ reached }) => reached as string ?? [])),
    wire: seen.flatMap(({ wire }) => wire as string ?? []),
  };
}

function jsonLines(text: string): Record<string, unknown>[] {
  return text.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
}

function spawn(host: typeof HOSTS[number], args: string[]): Deno.ChildProcess {
  const script = new URL("./discovery_netns_peer.ts", import.meta.url).pathname;
  return new Deno.Command("ip", {
    args: [
      "netns",
      "exec",
      TAG + host,
      Deno.execPath(),
      "run",
      "-A",
      "--no-check",
      script,
      ...args,
    ],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
}

/** Makes hosts a and b with the cables 0 and 1 between them, and no routes beyond. */
async function twoHosts(addresses: "both" | "linkLocal"): Promise<AsyncDisposable> {
  const hosts: AsyncDisposable = {
    async [Symbol.asyncDispose]() {
      for (const host of HOSTS) await ip("netns", "del", TAG + host);
    },
  };
  try {
    for (const host of HOSTS) {
      assert.ok(await ip("netns", "add", TAG + host));
      assert.ok(await ip("-n", TAG + host, "link", "set", "lo", "up"));
      // Nobody else is on these cables: link-local addresses need no second of checking.
      const dad = "/proc/sys/net/ipv6/conf/default/accept_dad";
      assert.ok(await ip("netns", "exec", TAG + host, "sh", "-c", `echo 0 > ${dad}`));
    }
    for (const cable of [0, 1]) {
      const [a, b] = HOSTS.map((host) => `${TAG}${cable}${host}`);
      const ends = ["netns", `${TAG}a`, "type", "veth", "peer", "name", b!, "netns", `${TAG}b`];
      assert.ok(await ip("link", "add", a!, ...ends));
      for (const [i, host] of HOSTS.entries()) {
        const device = `${TAG}${cable}${host}`;
        const add = (address: string, ...flags: string[]) =>
          ip("-n", TAG + host, "addr", "add", address, "dev", device, ...flags);
        if (addresses === "both") {
          assert.ok(await add(`10.9${cable}.0.${i + 1}/24`));
          assert.ok(await add(`fd00:9${cable}::${i + 1}/64`, "nodad"));
        }
        assert.ok(await ip("-n", TAG + host, "link", "set", device, "up"));
      }
    }
    await linkLocalReady();
    return hosts;
  } catch (error) {
    await hosts[Symbol.asyncDispose]();
    throw error;
  }
}

/** Waits until the kernel has given each of the four cable ends its link-local address. */
async function linkLocalReady(): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    let ready = 0;
    for (const host of HOSTS) {
      const args = ["-n", TAG + host, "-6", "addr", "show", "scope", "link"];
      const { stdout } = await new Deno.Command("ip", { args }).output();
      const text = new TextDecoder().decode(stdout);
      ready += text.includes("tentative") ? 0 : text.split("fe80::").length - 1;
    }
    if (ready === 4) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.fail("link-local addresses stayed tentative");
}

async function ip(...args: string[]): Promise<boolean> {
  const { success } = await new Deno.Command("ip", { args, stdout: "null", stderr: "null" })
    .output();
  return success;
}

/** Tries out what the tests need, and cleans up. */
async function probe(): Promise<boolean> {
  if (Deno.build.os !== "linux") return false;
  try {
    const made = await ip("netns", "add", `${TAG}probe`) &&
      await ip("-n", `${TAG}probe`, "link", "add", "x", "type", "veth", "peer", "name", "y");
    await ip("netns", "del", `${TAG}probe`);
    return made;
  } catch {
    return false;
  }
}
