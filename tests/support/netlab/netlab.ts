/**
 * Two hosts on one machine: network namespaces with a link between them, for benchmarks and fault tests.
 * Needs root, ip(8) and, for links with delay or loss, a C compiler and /dev/net/tun. Traffic stays
 * inside; nothing of the machine's own network is touched.
 */
import { join } from "node:path";

/** What lies between the hosts. */
export type NetProfile =
  /** One host talking to itself over its own loopback: MTU 65 536, no limit. */
  | "loopback"
  /** A cable of 1 Gbit/s, MTU 1500, round trip 0.05 ms. */
  | "lan1g"
  /** 100 Mbit/s, round trip 50 ms, 0.1 % loss each way. */
  | "wan"
  /** 100 Mbit/s, round trip 50 ms, 1 % loss each way. */
  | "lossy"
  /** What a home sends at: 20 Mbit/s, round trip 30 ms, no loss but in a queue of 150 ms. */
  | "home";

/** Which of the two hosts. */
export type Host = "a" | "b";

/** A link of which a program on this machine plays the cable. */
interface EmulatedLink {
  readonly bitsPerSecond: number;
  readonly delayMs: number;
  readonly loss: number;
  /** How long a packet at the end of the queue waits; a round trip if left out. */
  readonly queueMs?: number;
}

const EMULATED: { readonly [profile in NetProfile]?: EmulatedLink } = {
  wan: { bitsPerSecond: 100e6, delayMs: 25, loss: 0.001 },
  lossy: { bitsPerSecond: 100e6, delayMs: 25, loss: 0.01 },
  home: { bitsPerSecond: 20e6, delayMs: 15, loss: 0, queueMs: 150 },
};
const PROFILES: readonly NetProfile[] = ["loopback", "lan1g", "wan", "lossy", "home"];
/** Longest name of a device in Linux is 15 bytes. */
const TAG = `lb${(Deno.pid % 0xffff).toString(16)}`;
const ADDRESS: { readonly [host in Host]: string } = { a: "10.77.0.1", b: "10.77.0.2" };
const NAMESPACES = "/var/run/netns";
/** Shortest queue in front of an emulated link; else what is under way in one round trip. */
const QUEUE_BYTES_MIN = 150_000;

/** The link and its hosts; disposing it removes both. */
export class Netlab implements AsyncDisposable {
  readonly #profile: NetProfile;
  readonly #stack = new AsyncDisposableStack();

  /** Why there can be no such link on this machine; `undefined` if there can. */
  static async obstacle(profile: NetProfile): Promise<string | undefined> {
    if (Deno.build.os !== "linux") return "network namespaces are Linux's";
    if (Deno.uid() !== 0) return "network namespaces take root";
    if (!(await succeeds("ip", "-V"))) return "ip(8) is not installed";
    const name = `${TAG}p`;
    if (!(await succeeds("ip", "netns", "add", name))) return "no network namespaces here";
    await run("ip", "netns", "del", name);
    if (EMULATED[profile] === undefined) return undefined;
    if (!(await succeeds("cc", "--version"))) return "no C compiler for the emulated link";
    return await succeeds("test", "-c", "/dev/net/tun") ? undefined : "/dev/net/tun is missing";
  }

  /** @param seed Which packets a lossy link loses. */
  static async up(profile: NetProfile, seed = 1): Promise<Netlab> {
    const lab = new Netlab(profile);
    try {
      for (const host of lab.#hosts) await lab.#addHost(host);
      if (profile === "lan1g") await lab.#layCable();
      const link = EMULATED[profile];
      if (link !== undefined) await lab.#emulate(link, seed);
      return lab;
    } catch (error) {
      await lab[Symbol.asyncDispose]();
      throw error;
    }
  }

  private constructor(profile: NetProfile) {
    this.#profile = profile;
  }

  /** The command line that runs a program on a host; it keeps its process id. */
  command(host: Host, program: readonly string[]): string[] {
    return ["nsenter", `--net=${NAMESPACES}/${this.#namespace(host)}`, ...program];
  }

  /** A host's address. */
  address(host: Host): string {
    return this.#profile === "loopback" ? "127.0.0.1" : ADDRESS[host];
  }

  /** Bytes that have crossed the link so far, both ways, with the headers of IP and Ethernet. */
  async wireBytes(): Promise<number> {
    const [program, ...args] = this.command("a", ["cat", "/proc/net/dev"]);
    const text = await run(program!, ...args);
    const device = this.#profile === "loopback" ? "lo" : this.#device("a");
    const line = text.split("\n").find((line) => line.trim().startsWith(`${device}:`))!;
    const fields = line.slice(line.indexOf(":") + 1).trim().split(/\s+/).map(Number);
    const [received, sent] = [fields[0]!, fields[8]!];
    // A packet to oneself is counted as sent and as received.
    return this.#profile === "loopback" ? received : received + sent;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }

  get #hosts(): readonly Host[] {
    return this.#profile === "loopback" ? ["a"] : ["a", "b"];
  }

  #namespace(host: Host): string {
    return TAG + (this.#profile === "loopback" ? "a" : host);
  }

  #device(host: Host): string {
    return `${TAG}v${host}`;
  }

  async #addHost(host: Host): Promise<void> {
    const name = this.#namespace(host);
    await run("ip", "netns", "add", name);
    this.#stack.defer(async () => void await run("ip", "netns", "del", name));
    await run("ip", "-n", name, "link", "set", "lo", "up");
    // Neighbour discovery of IPv6 would be counted as traffic.
    const off = "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6";
    const [program, ...args] = this.command(host, ["sh", "-c", off]);
    if (this.#profile !== "loopback") await run(program!, ...args);
  }

  async #layCable(): Promise<void> {
    const [a, b] = [this.#device("a"), this.#device("b")];
    const ends = ["type", "veth", "peer", "name", b, "netns", this.#namespace("b")];
    await run("ip", "link", "add", a, "netns", this.#namespace("a"), ...ends);
    for (const host of this.#hosts) {
      await this.#address(host);
      const limit = ["rate", "1gbit", "burst", "128kb", "latency", "10ms"];
      const at = ["-n", this.#namespace(host), "qdisc", "add", "dev", this.#device(host)];
      await run("tc", ...at, "root", "tbf", ...limit);
    }
  }

  async #emulate(link: EmulatedLink, seed: number): Promise<void> {
    for (const host of this.#hosts) {
      const at = ["-n", this.#namespace(host)];
      await run("ip", ...at, "tuntap", "add", "dev", this.#device(host), "mode", "tun");
      await run("ip", ...at, "link", "set", this.#device(host), "txqueuelen", "4000");
      await this.#address(host);
    }
    const program = await compileEmulator(this.#stack);
    const { bitsPerSecond, delayMs, loss, queueMs = 2 * delayMs } = link;
    const queueBytes = Math.max(QUEUE_BYTES_MIN, bitsPerSecond / 8 * queueMs / 1000);
    const sides = this.#hosts.flatMap((host) => [
      `${NAMESPACES}/${this.#namespace(host)}`,
      this.#device(host),
    ]);
    const numbers = [bitsPerSecond, delayMs * 1000, loss, queueBytes, seed].map(String);
    const child = new Deno.Command(program, {
      args: [...sides, ...numbers],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    this.#stack.defer(async () => {
      // The end of its input ends it.
      await child.stdin.close();
      await child.status;
      await child.stdout.cancel();
    });
    const reader = child.stdout.getReader();
    const { done } = await reader.read();
    reader.releaseLock();
    if (done) throw new Error("the emulated link did not come up");
  }

  async #address(host: Host): Promise<void> {
    const at = ["-n", this.#namespace(host)];
    await run("ip", ...at, "addr", "add", `${ADDRESS[host]}/24`, "dev", this.#device(host));
    await run("ip", ...at, "link", "set", this.#device(host), "mtu", "1500", "up");
  }
}

/** The profile of that name. @throws {RangeError} */
export function parseNetProfile(name: string): NetProfile {
  const profile = PROFILES.find((profile) => profile === name);
  if (profile === undefined) {
    throw new RangeError(`no link is called ${name}; there are ${PROFILES.join(", ")}`);
  }
  return profile;
}

async function compileEmulator(stack: AsyncDisposableStack): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "landropic-netlab-" });
  stack.defer(async () => await Deno.remove(folder, { recursive: true }));
  const program = join(folder, "link_emulator");
  const source = new URL("./link_emulator.c", import.meta.url).pathname;
  await run("cc", "-O2", "-o", program, source);
  return program;
}

async function run(program: string, ...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, { args }).output();
  const decoder = new TextDecoder();
  if (!success) {
    throw new Error(`${program} ${args.join(" ")}: ${decoder.decode(stderr).trim()}`);
  }
  return decoder.decode(stdout);
}

async function succeeds(program: string, ...args: string[]): Promise<boolean> {
  try {
    await run(program, ...args);
    return true;
  } catch {
    return false;
  }
}
