/**
 * Networks that fail in the middle of a transfer, between two hosts made of network namespaces: through
 * real processes and the command line. `LANDROPIC_FAULT_MIB=1024` makes the file of the transfer that
 * suffers most larger than the 40 MiB that it has here, and its cable faster.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { type CableOptions, canMakeHosts, type Host, TwoHosts } from "../support/cables.ts";
import { CliDevice, type CommandResult, type ServingDevice } from "../support/cli_device.ts";
import { temporaryFolder } from "../support/tree.ts";

const MIB = 1 << 20;
const PORT = 9876;
const FILE_MIB = 16;
/** A file of that size takes over a second. */
const RATE = "80mbit";
/** When a fault strikes. */
const UNDER_WAY_BYTES = 6 * MIB;
const CUT_MS = 5_000;
/** What a run may send again for all faults together. */
const RESENT_BYTES_MAX = 64 * MIB;

const canMake = await canMakeHosts();

function netTest(name: string, fn: () => Promise<void>): void {
  const why = canMake ? "" : " (skipped: needs root, ip(8), tc(8) and network namespaces)";
  Deno.test({ name: `${name}${why}`, ignore: !canMake, fn });
}

netTest("a link that is down for 5 s only delays a sync", async () => {
  await using lab = await Lab.make();
  await using _server = await lab.serve();
  const syncing = await lab.startSync();
  await lab.net.setLink(0, "b", "down");
  await delay(CUT_MS);
  await lab.net.setLink(0, "b", "up");
  lab.checkDone(await syncing.end());
});

netTest("a sync goes on with a server that was killed and started again", async () => {
  await using lab = await Lab.make();
  const victim = await lab.serve();
  const syncing = await lab.startSync();
  await victim.stop("SIGKILL");
  await using _server = await lab.serve();
  const summary = lab.checkDone(await syncing.end());
  assert.equal(summary["connections"], 2);
  assert.ok(summary["bytesReused"]! > 0, "what had arrived was kept");
});

netTest("a pull goes on with a server that was killed and started again", async () => {
  await using lab = await Lab.make();
  const victim = await lab.serve(lab.left);
  const syncing = await lab.startSync({ dir: lab.right, args: ["--pull"], sender: "b" });
  await victim.stop("SIGKILL");
  await using _server = await lab.serve(lab.left);
  const summary = lab.checkDone(await syncing.end());
  assert.equal(summary["connections"], 2);
});

const { size: largeMib, rate: largeRate } = largeTransfer();
netTest(
  `${largeMib} MiB over a link that is cut for 5 s, to a server that is killed once, cost 64 MiB more at most`,
  async () => {
    await using lab = await Lab.make({ rate: largeRate }, largeMib);
    const victim = await lab.serve();
    const syncing = await lab.startSync({ afterBytes: largeMib * MIB / 4 });
    // At its own end, where the system says that there is no way.
    await lab.net.setLink(0, "a", "down");
    await delay(CUT_MS);
    await lab.net.setLink(0, "a", "up");
    await lab.untilSent("a", largeMib * MIB / 2, syncing);
    await victim.stop("SIGKILL");
    await using _server = await lab.serve();
    const summary = lab.checkDone(await syncing.end());
    const sentBytes = lab.net.sentBytes(0, "a");
    const overheadBytes = sentBytes - largeMib * MIB;
    console.log(
      `${largeMib} MiB: ${sentBytes} bytes on the cable, ${summary["wireSent"]} of UDP, ` +
        `${summary["seconds"]} s, ${summary["connections"]} connections`,
    );
    // Headers of Ethernet, IP, UDP, QUIC and our own are about 5 %.
    assert.ok(overheadBytes <= RESENT_BYTES_MAX + 0.06 * largeMib * MIB, `${overheadBytes} bytes`);
  },
);

netTest("a sync goes on when the syncing device gets another address", async () => {
  await using lab = await Lab.make();
  await using _server = await lab.serve();
  const syncing = await lab.startSync();
  await lab.net.moveAddress(0, "a", "10.90.0.1", "10.90.0.7");
  const summary = lab.checkDone(await syncing.end());
  assert.equal(summary["connections"], 2);
});

netTest(
  "a sync goes on by another address that it knows when the first is gone for good",
  async () => {
    await using lab = await Lab.make({ cables: 2 });
    await using _server = await lab.serve();
    // The last one is tried first.
    for (const cable of [1, 0]) {
      await lab.a.succeed("status", "b", "--address", `10.9${cable}.0.2:${PORT}`);
    }
    const syncing = await lab.startSync();
    await lab.net.setLink(0, "b", "down");
    const { events } = lab.checkedEnd(await syncing.end());
    const addresses = events.filter(({ event }) => event === "connected").map((e) => e["address"]);
    assert.deepEqual(addresses, [`10.90.0.2:${PORT}`, `10.91.0.2:${PORT}`]);
  },
);

netTest("a sync finds a server that announces itself at another address", async () => {
  await using lab = await Lab.make();
  const heard = { LANDROPIC_NO_DISCOVERY: "0" };
  await using _server = await lab.serve(lab.right, { host: "[::]", env: heard });
  const syncing = await lab.startSync({ env: heard });
  await lab.net.moveAddress(0, "b", "10.90.0.2", "10.90.0.8");
  const summary = lab.checkDone(await syncing.end());
  assert.equal(summary["connections"], 2);
});

netTest("a server that is gone for good is exit 10, and the next run goes on", async () => {
  await using lab = await Lab.make();
  const victim = await lab.serve();
  const syncing = await lab.startSync({ args: ["--push", "--retry", "1"] });
  await victim.stop();
  await lab.net.moveAddress(0, "b", "10.90.0.2", "10.90.0.8");
  const { code, stderr } = await syncing.end();
  assert.equal(code, 10, stderr);
  const error = syncing.events.find(({ event }) => event === "error")!;
  assert.equal(error["code"], "peer_unreachable");
  assert.match(error["message"] as string, /10\.90\.0\.2:9876/);
  await using _server = await lab.serve(lab.right, { host: "10.90.0.8" });
  const again = await lab.a.succeed(
    ...["sync", "b", lab.left, "--push", "--json", "--address", `10.90.0.8:${PORT}`],
  );
  const summary = lab.checkDone(again);
  assert.ok(summary["bytesReused"]! >= UNDER_WAY_BYTES / 2, "what had arrived was kept");
});

netTest("the run after a push that was killed goes on where it was", async () => {
  await using lab = await Lab.make();
  await using _server = await lab.serve();
  const syncing = await lab.startSync();
  await syncing.stop("SIGKILL");
  const sentBytes = lab.net.sentBytes(0, "a");
  const summary = lab.checkDone(await lab.a.succeed("sync", "b", lab.left, "--push", "--json"));
  assert.ok(summary["bytesReused"]! >= UNDER_WAY_BYTES / 2, "what had arrived was kept");
  const allBytes = lab.net.sentBytes(0, "a");
  assert.ok(allBytes <= FILE_MIB * MIB * 1.06 + 8 * MIB, `${sentBytes}, then ${allBytes}`);
});

for (const ends of [["a", "b"], ["b"]] as const) {
  const how = ends.length === 2 ? "as the system knows" : "without a word";
  netTest(`a sync goes on when the path comes to carry less, ${how}`, async () => {
    await using lab = await Lab.make();
    await using _server = await lab.serve();
    const syncing = await lab.startSync();
    for (const end of ends) await lab.net.setMtu(0, end, 1280);
    lab.checkUnderWay();
    const summary = lab.checkDone(await syncing.end());
    assert.equal(summary["connections"], 1, "the same connection goes on");
  });
}

/** Two hosts, a device on each, that trust each other, and a file. */
class Lab implements AsyncDisposable {
  readonly #stack: AsyncDisposableStack;
  readonly net: TwoHosts;
  readonly a: CliDevice;
  readonly b: CliDevice;
  readonly left: string;
  readonly right: string;

  static async make(options: CableOptions = {}, fileMib = FILE_MIB): Promise<Lab> {
    await using stack = new AsyncDisposableStack();
    const folder = stack.use(temporaryFolder()).path;
    const net = stack.use(await TwoHosts.make({ addresses: true, rate: RATE, ...options }));
    const lab = new Lab(stack.move(), net, folder);
    await lab.a.trust(lab.b, "b", `10.90.0.2:${PORT}`);
    await lab.b.trust(lab.a, "a");
    fs.mkdirSync(lab.left);
    fs.mkdirSync(lab.right);
    writeRandom(`${lab.left}/large`, fileMib);
    return lab;
  }

  private constructor(stack: AsyncDisposableStack, net: TwoHosts, folder: string) {
    this.#stack = stack;
    this.net = net;
    const device = (host: Host) => new CliDevice(host, `${folder}/home-${host}`, net.within(host));
    [this.a, this.b] = [device("a"), device("b")];
    [this.left, this.right] = [`${folder}/left`, `${folder}/right`];
  }

  /** Host b serves a folder at its well-known port. */
  async serve(
    folder = this.right,
    { host = "0.0.0.0", env = {} }: { host?: string; env?: Record<string, string> } = {},
  ): Promise<ServingDevice> {
    const serving = this.b.start(["serve", folder, "--listen", `${host}:${PORT}`], { env });
    await serving.listening(20_000);
    return serving;
  }

  /** Host a syncs; resolves when some of the file has crossed the cable. */
  async startSync(
    { dir = this.left, args = ["--push"], env = {}, sender = "a", afterBytes = UNDER_WAY_BYTES }: {
      dir?: string;
      args?: readonly string[];
      env?: Record<string, string>;
      sender?: Host;
      afterBytes?: number;
    } = {},
  ): Promise<ServingDevice> {
    const syncing = this.a.start(["sync", "b", dir, ...args], { env });
    await this.untilSent(sender, afterBytes, syncing);
    return syncing;
  }

  /** Waits until a host has sent so much over the first cable. */
  async untilSent(host: Host, byteLength: number, during: ServingDevice): Promise<void> {
    for (let tries = 0; tries < 6000; tries++) {
      assert.ok(
        !during.events.some(({ event }) => event === "summary" || event === "error"),
        "the sync was over before the fault",
      );
      if (this.net.sentBytes(0, host) >= byteLength) return;
      await delay(20);
    }
    assert.fail(`host ${host} does not send`);
  }

  /** Fails if a fault that has struck came too late to matter. */
  checkUnderWay(): void {
    const sentBytes = this.net.sentBytes(0, "a");
    assert.ok(sentBytes < FILE_MIB * MIB, `the fault struck after ${sentBytes} bytes only`);
  }

  /** Fails unless the run ended well and both folders are equal. */
  checkedEnd(result: CommandResult): CommandResult {
    assert.equal(result.code, 0, result.stderr + JSON.stringify(result.events.at(-1)));
    assert.equal(digestOf(`${this.right}/large`), digestOf(`${this.left}/large`));
    return result;
  }

  /** As {@linkcode checkedEnd}; returns the numbers of the summary. */
  checkDone(result: CommandResult): Record<string, number> {
    return this.checkedEnd(result).events.at(-1) as Record<string, number>;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

function largeTransfer(): { size: number; rate: string } {
  const size = Number(Deno.env.get("LANDROPIC_FAULT_MIB") ?? "40");
  return { size, rate: size > 100 ? "1gbit" : RATE };
}

function writeRandom(path: string, mib: number): void {
  using file = Deno.openSync(path, { write: true, createNew: true });
  const bytes = new Uint8Array(MIB);
  for (let i = 0; i < mib; i++) {
    for (let at = 0; at < MIB; at += 65_536) {
      crypto.getRandomValues(bytes.subarray(at, at + 65_536));
    }
    file.writeSync(bytes);
  }
}

function digestOf(path: string): string {
  const hash = createHash("sha256");
  using file = Deno.openSync(path);
  const bytes = new Uint8Array(MIB);
  for (let n; (n = file.readSync(bytes)) !== null;) hash.update(bytes.subarray(0, n));
  return hash.digest("hex");
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
