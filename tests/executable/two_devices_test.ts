/** Two devices on two hosts that reach nothing but each other, each with the executable alone. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { assertSameTree, Link, writeTree } from "../support/tree.ts";
import { eventually, exeTest, hostTool, Sandbox } from "./sandbox.ts";

const TAG = `lx${(Deno.pid % 0xffff).toString(16)}`;
const HOSTS = ["a", "b"] as const;
const PORT_HOST = "10.92.0.2";

const namespaces = {
  missing: await canMakeHosts() ? undefined : "needs root, ip(8) and network namespaces",
};

exeTest("two devices sync a folder, and a second sync moves nothing", async () => {
  await using pair = await DevicePair.create();
  writeTree(pair.left, {
    "read me.txt": "hello\n".repeat(1000),
    empty: "",
    folder: { inner: { "ünï": "x" }, none: {} },
    link: new Link("folder/inner"),
  });
  await using server = await pair.serve();
  const first = await pair.sync(server.port, "--push");
  assert.equal(first.code, 0, first.stderr);
  assertSameTree(pair.right, pair.left);
  const second = await pair.sync(server.port, "--push");
  assert.deepEqual([second.code, second.summary["bytesSent"]], [0, 0], second.stderr);
  assert.equal(await server.stop("SIGTERM"), 143);
}, namespaces);

exeTest("two devices sync both ways", async () => {
  await using pair = await DevicePair.create();
  writeTree(pair.left, { "of the left": "1", shared: { l: "left\n".repeat(100_000) } });
  writeTree(pair.right, { "of the right": "2", shared: { r: "right\n".repeat(100_000) } });
  await using server = await pair.serve();
  const { code, stderr } = await pair.sync(server.port);
  assert.equal(code, 0, stderr);
  assertSameTree(pair.right, pair.left);
  assert.equal(Deno.readTextFileSync(join(pair.left, "of the right")), "2");
}, namespaces);

exeTest(
  "a sync whose both ends are killed goes on where it was, and ends with equal folders",
  async () => {
    await using pair = await DevicePair.create();
    writeTree(pair.left, { large: randomBytes(128 << 20) });
    const server = await pair.serve();
    const killed = pair.startSync(server.port, "--push", "--bwlimit", "20M");
    await eventually("half of it has arrived", async () => await pair.bytesReceived() > 64 << 20);
    killed.child.kill("SIGKILL");
    await killed.ended;
    await server.stop("SIGKILL");
    await using again = await pair.serve();
    const { code, stderr, summary } = await pair.sync(again.port, "--push");
    assert.equal(code, 0, stderr);
    assertSameTree(pair.right, pair.left);
    // What arrived in the last second may be lost.
    const wireSent = summary["wireSent"] as number;
    assert.ok(wireSent < 108 << 20, `all of it was sent again: ${wireSent} bytes`);
  },
  namespaces,
);

exeTest("two devices pair by a code and find each other without an address", async () => {
  await using pair = await DevicePair.create({ trusting: false });
  writeTree(pair.left, { file: "x" });
  const waiting = pair.start("b", ["pair", "--json", "--name", "left", "--timeout", "60s"]);
  const { code } = await waiting.event(({ event }) => event === "pairing");
  const joined = await pair.run("a", ["pair", code as string, "--json", "--name", "right"]);
  assert.equal(joined.code, 0, joined.stderr);
  assert.equal(await waiting.ended, 0);
  await using _server = await pair.serve({ discovery: true });
  const { events } = await pair.run("a", ["discover", "--json"]);
  assert.ok(events.some(({ name, trusted }) => name === "right" && trusted === true), `${events}`);
  const synced = await pair.run("a", ["sync", "right", pair.left, "--json"]);
  assert.equal(synced.code, 0, synced.stderr);
  assertSameTree(pair.right, pair.left);
}, namespaces);

exeTest("a device that nobody trusts is turned away with exit 11", async () => {
  await using pair = await DevicePair.create();
  writeTree(pair.left, { secret: "x" });
  using stranger = await Sandbox.warm();
  const { events } = await pair.run("b", ["id", "--json"]);
  await stranger.run(["peers", "trust", events[0]!["id"] as string, "--name", "right"]);
  await using server = await pair.serve();
  const { code } = await stranger.run(
    ["sync", "right", pair.left, "--push", "--address", `${PORT_HOST}:${server.port}`],
    { wrapper: ["ip", "netns", "exec", `${TAG}a`] },
  );
  assert.equal(code, 11);
  assert.deepEqual([...Deno.readDirSync(pair.right)], []);
}, namespaces);

type Event = Readonly<Record<string, unknown>>;

/** Hosts a and b joined by one cable, each with a device. */
class DevicePair implements AsyncDisposable {
  readonly left: string;
  readonly right: string;

  private constructor(readonly boxes: Readonly<Record<typeof HOSTS[number], Sandbox>>) {
    this.left = boxes.a.folder("left");
    this.right = boxes.b.folder("right");
  }

  /** Makes both; they trust each other unless told otherwise. */
  static async create({ trusting = true } = {}): Promise<DevicePair> {
    const pair = new DevicePair({ a: await Sandbox.warm(), b: await Sandbox.warm() });
    try {
      await makeHosts();
      if (!trusting) return pair;
      for (const [host, other, name] of [["a", "b", "right"], ["b", "a", "left"]] as const) {
        const { events } = await pair.run(other, ["id", "--json"]);
        const id = events[0]!["id"] as string;
        const { code, stderr } = await pair.run(host, ["peers", "trust", id, "--name", name]);
        assert.equal(code, 0, stderr);
      }
      return pair;
    } catch (error) {
      await pair[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Runs a command of one device to its end. */
  async run(host: typeof HOSTS[number], args: readonly string[]) {
    const run = this.start(host, args);
    const code = await run.ended;
    return { code, stderr: await run.stderr, events: run.events };
  }

  /** Starts a command of one device. */
  start(host: typeof HOSTS[number], args: readonly string[]): RunningCommand {
    const wrapper = ["ip", "netns", "exec", TAG + host];
    return new RunningCommand(this.boxes[host].spawn(args, { wrapper }));
  }

  startSync(port: number, ...flags: string[]): RunningCommand {
    const address = ["--address", `${PORT_HOST}:${port}`];
    return this.start("a", ["sync", "right", this.left, ...address, "--json", ...flags]);
  }

  async sync(port: number, ...flags: string[]) {
    const run = this.startSync(port, ...flags);
    const code = await run.ended;
    const summary = run.events.findLast(({ event }) => event === "summary") ?? {};
    return { code, stderr: await run.stderr, summary };
  }

  /** Serves the right folder on a free port of host b. */
  async serve({ discovery = false } = {}) {
    const run = this.start("b", [
      ...["serve", this.right, "--json", "--listen", `${PORT_HOST}:0`],
      ...(discovery ? [] : ["--no-discovery"]),
    ]);
    const { port } = await run.event(({ event }) => event === "listening");
    const stop = async (signal: Deno.Signal) => {
      run.child.kill(signal);
      return await run.ended;
    };
    return {
      port: port as number,
      stop,
      async [Symbol.asyncDispose]() {
        await stop("SIGKILL").catch(() => {});
      },
    };
  }

  /** What host b has received, in bytes on the cable. */
  async bytesReceived(): Promise<number> {
    const args = ["-n", `${TAG}b`, "-s", "-j", "link", "show", `${TAG}-b`];
    const { stdout } = await new Deno.Command(hostTool("ip"), { args }).output();
    return JSON.parse(new TextDecoder().decode(stdout))[0].stats64.rx.bytes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const host of HOSTS) await ip("netns", "del", TAG + host);
    for (const host of HOSTS) this.boxes[host][Symbol.dispose]();
  }
}

/** A command whose stdout is JSON lines. */
class RunningCommand {
  readonly events: Event[] = [];
  readonly stderr: Promise<string>;
  /** The exit code, once all events are read. */
  readonly ended: Promise<number>;
  #changed = Promise.withResolvers<void>();

  constructor(readonly child: Deno.ChildProcess) {
    this.stderr = new Response(child.stderr).text();
    this.ended = this.#read();
  }

  /** The first event that matches, now or later; rejects if the command ends without one. */
  async event(matches: (event: Event) => boolean): Promise<Event> {
    for (let isOver = false;; isOver = await this.#overOrChanged()) {
      const found = this.events.find(matches);
      if (found !== undefined) return found;
      if (isOver) throw new Error(`it ended with ${await this.ended}: ${await this.stderr}`);
    }
  }

  #overOrChanged(): Promise<boolean> {
    return Promise.race([this.ended.then(() => true), this.#changed.promise.then(() => false)]);
  }

  async #read(): Promise<number> {
    let rest = "";
    for await (const text of this.child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      this.events.push(...lines.filter((line) => line.startsWith("{")).map((l) => JSON.parse(l)));
      this.#changed.resolve();
      this.#changed = Promise.withResolvers();
    }
    return (await this.child.status).code;
  }
}

/** Nothing that compresses or repeats. */
function randomBytes(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += 1 << 16) {
    crypto.getRandomValues(bytes.subarray(at, at + (1 << 16)));
  }
  return bytes;
}

/** Makes two hosts with one cable between them and no route anywhere else. */
async function makeHosts(): Promise<void> {
  for (const host of HOSTS) assert.ok(await ip("netns", "add", TAG + host));
  const [a, b] = HOSTS.map((host) => `${TAG}-${host}`);
  const ends = ["netns", `${TAG}a`, "type", "veth", "peer", "name", b!, "netns", `${TAG}b`];
  assert.ok(await ip("link", "add", a!, ...ends));
  for (const [index, host] of HOSTS.entries()) {
    const device = `${TAG}-${host}`;
    assert.ok(await ip("-n", TAG + host, "addr", "add", `10.92.0.${index + 1}/24`, "dev", device));
    for (const link of ["lo", device]) {
      assert.ok(await ip("-n", TAG + host, "link", "set", link, "up"));
    }
  }
}

/** Tries out what the tests need, and cleans up. */
async function canMakeHosts(): Promise<boolean> {
  if (Deno.build.os !== "linux") return false;
  try {
    await makeHosts();
    return true;
  } catch {
    return false;
  } finally {
    for (const host of HOSTS) await ip("netns", "del", TAG + host).catch(() => {});
  }
}

async function ip(...args: string[]): Promise<boolean> {
  const options = { args, stdout: "null", stderr: "null" } as const;
  return (await new Deno.Command(hostTool("ip"), options).output()).success;
}
