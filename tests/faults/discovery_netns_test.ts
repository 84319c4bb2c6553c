/** Discovery between two hosts made of network namespaces, joined by two cables. */
import assert from "node:assert/strict";
import { hostname } from "node:os";
import type { PeerHint } from "../../src/discovery/mod.ts";
import { canMakeHosts, type Host, TwoHosts } from "../support/cables.ts";

const SEARCH_MS = 2500;

const canMakeNamespaces = await canMakeHosts();
const name = (text: string) =>
  canMakeNamespaces ? text : `${text} (skipped: needs root, ip(8) and network namespaces)`;

Deno.test({
  name: name("MdnsDiscovery finds a peer over two cables, and says goodbye, without any route"),
  ignore: !canMakeNamespaces,
  async fn() {
    await using net = await TwoHosts.make({ cables: 2, addresses: true });
    const run = await announceAndDiscover(net);
    const last = run.hints.at(-1)!;
    assert.deepEqual([last.idPrefix, last.slot], ["ABCDEFGH", 42]);
    const hosts = last.addresses.map(({ host }) => host);
    assert.deepEqual(
      hosts.filter((host) => !host.startsWith("fe80")).sort(),
      ["10.90.0.1", "10.91.0.1", "fd00:90::1", "fd00:91::1"],
    );
    const zones = hosts.filter((host) => host.startsWith("fe80")).map((host) => host.split("%")[1]);
    assert.deepEqual(
      zones.sort(),
      [net.device(0, "b"), net.device(1, "b")],
      "the zones of the searching host",
    );
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
    await using net = await TwoHosts.make({ cables: 2 });
    const run = await announceAndDiscover(net);
    assert.ok(run.hints.length > 0);
    const zonesReached = new Set([...run.reached].map((host) => host.split("%")[1]));
    assert.deepEqual([...zonesReached].sort(), [net.device(0, "b"), net.device(1, "b")]);
  },
});

async function announceAndDiscover(net: TwoHosts) {
  const announcer = spawn(net, "a", ["announce", "ABCDEFGH", "42"]);
  const lines = announcer.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!text.includes("announced")) {
    const { value, done } = await lines.read();
    assert.ok(!done, `the announcing process ended: ${text}`);
    text += value;
  }
  const searching = spawn(net, "b", ["discover", String(SEARCH_MS)]);
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

function spawn(net: TwoHosts, host: Host, args: string[]): Deno.ChildProcess {
  const script = new URL("./discovery_netns_peer.ts", import.meta.url).pathname;
  const [program, ...before] = [...net.within(host), Deno.execPath(), "run", "-A", "--no-check"];
  return new Deno.Command(program!, {
    args: [...before, script, ...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
}
