/**
 * Two hosts made of network namespaces, joined by cables, with no way to anywhere else. Needs root and
 * ip(8); the machine's own network is not touched.
 */
import assert from "node:assert/strict";

/** Which of the two hosts. */
export type Host = "a" | "b";

const HOSTS: readonly Host[] = ["a", "b"];
/** Longest name of a device in Linux is 15 bytes. */
const TAG = `lp${(Deno.pid % 0xffff).toString(16)}`;

/** Of an IPv6 address: it may not be used yet (`IFA_F_TENTATIVE`). */
const TENTATIVE = 0x40;

/** How the hosts are joined. */
export interface CableOptions {
  /** IPv4 and IPv6 addresses on every cable; else there is nothing but IPv6 link-local. */
  readonly addresses?: boolean;
  /** Cables between the hosts; default 1. */
  readonly cables?: number;
  /** Of each cable, each way, as tc(8) writes it: `80mbit`. Without it there is no limit. */
  readonly rate?: string;
}

/** True where hosts can be made. Tries it out, and cleans up. */
export async function canMakeHosts(): Promise<boolean> {
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

/** The hosts a and b; disposing removes them. */
export class TwoHosts implements AsyncDisposable {
  readonly #hands = new Map<Host, HostIp>();

  static async make(
    { addresses = false, cables = 1, rate }: CableOptions = {},
  ): Promise<TwoHosts> {
    const hosts = new TwoHosts();
    try {
      for (const host of HOSTS) {
        assert.ok(await ip("netns", "add", TAG + host));
        assert.ok(await ip("-n", TAG + host, "link", "set", "lo", "up"));
        // Nobody else is on these cables: link-local addresses need no second of checking.
        const dad = "/proc/sys/net/ipv6/conf/default/accept_dad";
        assert.ok(await ip("netns", "exec", TAG + host, "sh", "-c", `echo 0 > ${dad}`));
        hosts.#hands.set(host, new HostIp(TAG + host));
      }
      for (let cable = 0; cable < cables; cable++) await hosts.#lay(cable, addresses);
      await hosts.#linkLocalReady(2 * cables);
      for (let cable = 0; cable < cables && rate !== undefined; cable++) {
        for (const host of HOSTS) await hosts.#slowDown(cable, host, rate);
      }
      return hosts;
    } catch (error) {
      await hosts[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The command line that runs a program on a host. */
  within(host: Host): string[] {
    return ["ip", "netns", "exec", TAG + host];
  }

  /** The name of a host's end of a cable. */
  device(cable: number, host: Host): string {
    return `${TAG}${cable}${host}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const hands of this.#hands.values()) await hands[Symbol.asyncDispose]();
    this.#hands.clear();
    for (const host of HOSTS) await ip("netns", "del", TAG + host);
  }

  /** Takes a host's end of a cable down, or up again; the other end then has no carrier. */
  async setLink(cable: number, host: Host, state: "up" | "down"): Promise<void> {
    await this.#hands.get(host)!.run(["link", "set", this.device(cable, host), state]);
  }

  /** Largest packet that a host's end of a cable takes and accepts, with the headers of IP. */
  async setMtu(cable: number, host: Host, bytes: number): Promise<void> {
    const set = ["link", "set", this.device(cable, host), "mtu", String(bytes)];
    await this.#hands.get(host)!.run(set);
  }

  /** Gives a host's end of a cable another IPv4 address instead of the one that it has. */
  async moveAddress(cable: number, host: Host, from: string, to: string): Promise<void> {
    const at = ["dev", this.device(cable, host)];
    await this.#hands.get(host)!.run(
      // In this order: whoever deletes the first address of a network deletes the others with it.
      ["addr", "del", `${from}/24`, ...at],
      ["addr", "add", `${to}/24`, ...at],
    );
  }

  /** Bytes that a host has sent over a cable, with the headers of IP and Ethernet. */
  sentBytes(cable: number, host: Host): number {
    const name = `${this.device(cable, host)}:`;
    const { pid } = this.#hands.get(host)!;
    const line = Deno.readTextFileSync(`/proc/${pid}/net/dev`).split("\n")
      .find((line) => line.trim().startsWith(name))!;
    return Number(line.slice(line.indexOf(":") + 1).trim().split(/\s+/)[8]);
  }

  async #slowDown(cable: number, host: Host, rate: string): Promise<void> {
    const limit = ["rate", rate, "burst", "128kb", "latency", "20ms"];
    const at = ["-n", TAG + host, "qdisc", "add", "dev", this.device(cable, host)];
    const { success } = await new Deno.Command("tc", { args: [...at, "root", "tbf", ...limit] })
      .output();
    assert.ok(success);
  }

  /** Cable n has the networks 10.9n.0.0/24 and fd00:9n::/64; host a is 1 there, host b is 2. */
  async #lay(cable: number, addresses: boolean): Promise<void> {
    const [a, b] = HOSTS.map((host) => this.device(cable, host));
    const ends = ["netns", `${TAG}a`, "type", "veth", "peer", "name", b!, "netns", `${TAG}b`];
    assert.ok(await ip("link", "add", a!, ...ends));
    for (const [i, host] of HOSTS.entries()) {
      const device = this.device(cable, host);
      const add = (address: string) => ["addr", "add", address, "dev", device];
      const added = [
        add(`10.9${cable}.0.${i + 1}/24`),
        [...add(`fd00:9${cable}::${i + 1}/64`), "nodad"],
      ];
      await this.#hands.get(host)!.run(
        ...addresses ? added : [],
        // Datagrams cross one by one: no train of them passes in one piece that is larger than the MTU.
        ["link", "set", device, "up", "gso_max_segs", "1"],
      );
    }
  }

  /** Waits until the kernel has given every cable end its link-local address. */
  async #linkLocalReady(ends: number): Promise<void> {
    for (let tries = 0; tries < 100; tries++) {
      let ready = 0;
      for (const host of HOSTS) {
        // Address, number of the device, length of the prefix, scope, flags, name of the device.
        const lines = Deno.readTextFileSync(`/proc/${this.#hands.get(host)!.pid}/net/if_inet6`)
          .split("\n").map((line) => line.split(/\s+/));
        ready += lines.filter(([address, , , , flags]) =>
          address!.startsWith("fe80") && (parseInt(flags!, 16) & TENTATIVE) === 0
        ).length;
      }
      if (ready === ends) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    assert.fail("link-local addresses stayed tentative");
  }
}

/**
 * A host's ip(8), which waits for what it is told: a process of its own for each fault, or for each look at
 * the counters, takes seconds on a machine that is busy. Ends with its standard input, and so with this
 * process at the latest.
 */
class HostIp implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reader: ReadableStreamDefaultReader<string>;

  constructor(namespace: string) {
    const args = ["-n", namespace, "-batch", "-"];
    this.#child = new Deno.Command("ip", { args, stdin: "piped", stdout: "piped" }).spawn();
    this.#writer = this.#child.stdin.getWriter();
    this.#reader = this.#child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** A process on the host. */
  get pid(): number {
    return this.#child.pid;
  }

  /** Resolves when all is done; one call at a time. */
  async run(...commands: readonly string[][]): Promise<void> {
    const lines = [...commands, ["link", "show", "lo"]].map((words) => words.join(" ") + "\n");
    await this.#writer.write(new TextEncoder().encode(lines.join("")));
    for (let answer = ""; !answer.includes("link/loopback");) {
      const { done, value } = await this.#reader.read();
      // It ends where a command fails.
      assert.ok(!done, `ip: ${lines.join("")}`);
      answer += value;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer.close().catch(() => {});
    await this.#reader.cancel();
    await this.#child.status;
  }
}

async function ip(...args: string[]): Promise<boolean> {
  const { success } = await new Deno.Command("ip", { args, stdout: "null", stderr: "null" })
    .output();
  return success;
}
