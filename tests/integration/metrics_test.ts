import assert from "node:assert/strict";
import * as fs from "node:fs";
import type { CommandResult, ServingDevice } from "../support/cli_device.ts";
import { trustingPair } from "../support/cli_device.ts";
import { temporaryFolder, writeTree } from "../support/tree.ts";

/** What travels behind the last thing a side counts: acknowledgements and the close. */
const LAST_BYTES = 64 * 1024;

Deno.test("serve --metrics tells of a sync what its own summary and events tell", async () => {
  const { folder, a, b, left, right } = await setUp();
  using _ = folder;
  await using server = await b.serve(right, "--metrics", "127.0.0.1:0");
  const url = server.events[0]!["metrics"] as string;
  assert.match(url, /^http:\/\/127\.0\.0\.1:[1-9]\d*\/metrics$/);
  const before = await scrape(url);
  assert.equal(before.get('landropic_handshakes_total{result="verified"}'), 0);
  assert.equal(before.get('landropic_sessions_total{mode="push",result="ok"}'), 0);
  const args = ["sync", "b", left, "--push", "--address", server.address, "--json"];
  const first = summaryOf(await a.succeed(...args));
  await ended(server, 1);
  const once = await scrape(url);
  fs.writeFileSync(`${left}/more`, "x".repeat(100_000));
  const second = summaryOf(await a.succeed(...args));
  const sessionEnds = await ended(server, 2);
  const twice = await scrape(url);

  const expect = (key: string, value: number) => assert.equal(twice.get(key), value, key);
  expect('landropic_sessions_total{mode="push",result="ok"}', 2);
  expect('landropic_sessions{mode="push"}', 0);
  expect('landropic_handshakes_total{result="verified"}', 2);
  expect("landropic_reconnects_total", 1);
  expect(
    'landropic_file_bytes_total{direction="received"}',
    first["bytesSent"]! + second["bytesSent"]!,
  );
  expect('landropic_file_bytes_total{direction="sent"}', 0);
  expect('landropic_files_total{action="received"}', first["sent"]! + second["sent"]!);
  const near = (key: string, least: number) => {
    const value = twice.get(key)!;
    assert.ok(value >= least && value <= least + LAST_BYTES, `${key}: ${value}, not ${least}`);
  };
  near(
    'landropic_wire_bytes_total{direction="received"}',
    first["wireSent"]! + second["wireSent"]!,
  );
  near(
    'landropic_wire_bytes_total{direction="sent"}',
    sessionEnds.reduce((sum, end) => sum + end["wireSent"]!, 0),
  );
  assert.ok(twice.get('landropic_streams_total{kind="bidirectional",opener="peer"}')! >= 2);
  assert.ok(twice.get('landropic_packets_total{direction="received"}')! > 0);

  assert.deepEqual([...before.keys()], [...once.keys()].filter((key) => !key.includes("peer=")));
  const kinds = await typesOf(url);
  for (const [key, value] of once) {
    if (kinds.get(key.split("{")[0]!) !== "counter") continue;
    assert.ok(twice.get(key)! >= value, `${key} went from ${value} to ${twice.get(key)}`);
  }
  const stopped = await server.stop();
  assert.equal(stopped.code, 130, stopped.stderr);
  await assert.rejects(fetch(url), "nobody listens any more");
});

Deno.test("serve --metrics shows a peer and its session while it syncs, by the name it has here", async () => {
  const { folder, a, b, left, right } = await setUp();
  using _ = folder;
  fs.writeFileSync(`${left}/large`, new Uint8Array(20_000_000).fill(7));
  await using server = await b.serve(right, "--metrics", "[::1]:0");
  const url = server.events[0]!["metrics"] as string;
  assert.match(url, /^http:\/\/\[::1\]:[1-9]\d*\/metrics$/);
  await using syncing = a.start(
    ["sync", "b", left, "--push", "--no-compress", "--bwlimit", "4M", "--address", server.address],
  );
  await server.waitFor(({ event }) => event === "session-start");
  const during = await scrape(url);
  assert.equal(during.get('landropic_peer_connections{peer="a"}'), 1);
  assert.equal(during.get('landropic_connections{state="open"}'), 1);
  assert.equal(during.get('landropic_sessions{mode="push"}'), 1);
  assert.ok(during.get('landropic_peer_congestion_window_bytes{peer="a"}')! > 0);
  assert.ok(during.get('landropic_peer_rtt_seconds{peer="a"}')! < 10);
  assert.ok(during.get("landropic_streams_open")! >= 2, "the control streams at least");
  await syncing.stop();
  await server.waitFor(({ event }) => event === "session-end");
  const after = await scrape(url);
  assert.equal(after.get('landropic_sessions_total{mode="push",result="broken"}'), 1);
  assert.equal(after.get('landropic_sessions{mode="push"}'), 0);
});

Deno.test("serve --metrics counts a connection that joins another one, and sees it go", async () => {
  const { folder, a, b, left, right } = await setUp();
  using _ = folder;
  fs.writeFileSync(`${left}/large`, new Uint8Array(20_000_000).fill(7));
  await using server = await b.serve(right, "--metrics", "127.0.0.1:0");
  const url = server.events[0]!["metrics"] as string;
  const before = await scrape(url);
  assert.equal(before.get('landropic_pool_events_total{event="added"}'), 0);
  await using syncing = a.start([
    ...["sync", "b", left, "--push", "--no-compress", "--bwlimit", "4M", "--connections", "2"],
    ...["--address", server.address],
  ]);
  const during = await scrapeUntil(url, "landropic_pool_events_total", "added", 1);
  assert.equal(during.get('landropic_pool_connections{state="used"}'), 1);
  assert.equal(during.get('landropic_peer_connections{peer="a"}'), 2);
  await syncing.stop();
  const after = await scrapeUntil(url, "landropic_pool_connections", "used", 0);
  assert.equal(after.get('landropic_pool_events_total{event="added"}'), 1);
  assert.equal(after.get('landropic_pool_events_total{event="closed_dead"}'), 0);
});

Deno.test("serve --metrics answers GET /metrics and nothing else", async () => {
  const { folder, b, right } = await setUp();
  using _ = folder;
  await using server = await b.serve(right, "--metrics", "127.0.0.1:0");
  const url = server.events[0]!["metrics"] as string;
  for (
    const [path, method] of [
      ["/", "GET"],
      ["/metrics/", "GET"],
      ["/metrics", "POST"],
      ["/../metrics/..%2f", "GET"],
    ] as const
  ) {
    const response = await fetch(new URL(path, url), { method });
    assert.equal(response.status, 404, `${method} ${path}`);
    assert.doesNotMatch(await response.text(), /landropic_/);
  }
  const answered = await fetch(`${url}?name[]=x`);
  assert.equal(answered.status, 200);
  assert.equal(answered.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  await answered.body!.cancel();
});

Deno.test("a port for metrics that is taken, or an address of nobody, is exit 1 with a hint", async () => {
  const { folder, b, right } = await setUp();
  using _ = folder;
  const taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr as Deno.NetAddr;
  const refused = [
    [`127.0.0.1:${port}`, /Cannot offer metrics on 127\.0\.0\.1:\d+: the port is in use/],
    // RFC 5737: nobody has it.
    ["203.0.113.9:0", /Cannot offer metrics on 203\.0\.113\.9:0: .* no such address/],
  ] as const;
  for (const [address, message] of refused) {
    const { code, stderr } = await b.run(
      "serve",
      right,
      ...["--listen", "127.0.0.1:0", "--metrics", address],
    );
    assert.equal(code, 1, stderr);
    assert.match(stderr, message);
    assert.match(stderr, /^hint: /m);
  }
  taken.close();
  const { code } = await b.run("serve", right, "--metrics", "127.0.0.1:99999");
  assert.equal(code, 2);
});

async function setUp() {
  const folder = temporaryFolder();
  const [a, b] = await trustingPair(folder.path);
  const left = `${folder.path}/left`;
  const right = `${folder.path}/right`;
  writeTree(left, { text: "hello\n".repeat(10_000), folder: { inner: "x" } });
  fs.mkdirSync(right);
  return { folder, a, b, left, right };
}

/** Each sample by its name with labels, as written. */
async function scrape(url: string): Promise<Map<string, number>> {
  const lines = (await (await fetch(url)).text()).split("\n");
  return new Map(
    lines.filter((line) => line !== "" && !line.startsWith("#")).map((line) => {
      const at = line.lastIndexOf(" ");
      return [line.slice(0, at), Number(line.slice(at + 1))];
    }),
  );
}

/** Scrapes until a sample has a value. @throws {Error} after 20 s. */
async function scrapeUntil(
  url: string,
  name: string,
  label: string,
  value: number,
): Promise<Map<string, number>> {
  const endMs = Date.now() + 20_000;
  for (;;) {
    const samples = await scrape(url);
    const found = [...samples].find(([key]) => key.startsWith(`${name}{`) && key.includes(label));
    if (found?.[1] === value) return samples;
    if (Date.now() > endMs) throw new Error(`${name} ${label} stays at ${found?.[1]}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function typesOf(url: string): Promise<Map<string, string>> {
  const text = await (await fetch(url)).text();
  return new Map(
    [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name!, type!]),
  );
}

function summaryOf({ events }: CommandResult): Record<string, number> {
  return events.at(-1) as Record<string, number>;
}

async function ended(server: ServingDevice, count: number): Promise<Record<string, number>[]> {
  const ends = () => server.events.filter(({ event }) => event === "session-end");
  await server.waitFor(() => ends().length >= count);
  return ends() as Record<string, number>[];
}
