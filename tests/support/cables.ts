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
  /** A process of each host, that does nothing: through it one sees what the host's kernel sees. */
  readonly #residents = new Map<Host, Deno.ChildProcess>();

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
        await hosts.#settle(host);
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
    for (const resident of this.#residents.values()) {
      await resident.stdin.close();
      await resident.status;
    }
    this.#residents.clear();
    for (const host of HOSTS) await ip("netns", "del", TAG + host);
  }

  /** Takes a host's end of a cable down, or up again; the other end then has no carrier. */
  async setLink(cable: number, host: Host, state: "up" | "down"): Promise<void> {
    const device = this.device(cable, host);
    assert.ok(await ip("-n", TAG + host, "link", "set", device, state));
  }

  /** Largest packet that a host's end of a cable takes and accepts, with the headers of IP. */
  setMtu(cable: number, host: Host, bytes: number): void {
    const { pid } = this.#residents.get(host)!;
    // As the host sees the file: at once, where a process would come too late on a machine that is busy.
    const path = `/proc/${pid}/root/sys/class/net/${this.device(cable, host)}/mtu`;
    Deno.writeTextFileSync(path, String(bytes), { create: false });
  }

  /** Gives a host's end of a cable another IPv4 address instead of the one that it has. */
  async moveAddress(cable: number, host: Host, from: string, to: string): Promise<void> {
    const at = ["dev", this.device(cable, host)];
    // In this order: whoever deletes the first address of a network deletes the others with it.
    assert.ok(await ip("-n", TAG + host, "addr", "del", `${from}/24`, ...at));
    assert.ok(await ip("-n", TAG + host, "addr", "add", `${to}/24`, ...at));
  }

  /**
   * Bytes that a host has sent over a cable, with the headers of IP and Ethernet. Starts no process, so that
   * it tells the moment also on a machine that is busy.
   */
  sentBytes(cable: number, host: Host): number {
    const name = `${this.device(cable, host)}:`;
    const { pid } = this.#residents.get(host)!;
    const line = Deno.readTextFileSync(`/proc/${pid}/net/dev`).split("\n")
      .find((line) => line.trim().startsWith(name))!;
    return Number(line.slice(line.indexOf(":") + 1).trim().split(/\s+/)[8]);
  }

  /** Starts a process that ends with its standard input, and so with this one at the latest. */
  async #settle(host: Host): Promise<void> {
    const [program, ...args] = [...this.within(host), "sh", "-c", "echo here; exec cat"];
    const resident = new Deno.Command(program!, { args, stdin: "piped", stdout: "piped" }).spawn();
    this.#residents.set(host, resident);
    // It is a process of that host once it says so.
    const reader = resident.stdout.getReader();
    assert.equal((await reader.read()).done, false);
    reader.releaseLock();
    void resident.stdout.cancel();
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
      const add = (address: string, ...flags: string[]) =>
        ip("-n", TAG + host, "addr", "add", address, "dev", device, ...flags);
      if (addresses) {
        assert.ok(await add(`10.9${cable}.0.${i + 1}/24`));
        assert.ok(await add(`fd00:9${cable}::${i + 1}/64`, "nodad"));
      }
      // Datagrams cross one by one: no train of them passes in one piece that is larger than the MTU.
      const whole = ["gso_max_segs", "1"];
      assert.ok(await ip("-n", TAG + host, "link", "set", device, "up", ...whole));
    }
  }

  /** Waits until the kernel has given every cable end its link-local address. */
  async #linkLocalReady(ends: number): Promise<void> {
    for (let tries = 0; tries < 100; tries++) {
      let ready = 0;
      for (const host of HOSTS) {
        const args = ["-n", TAG + host, "-6", "addr", "show", "scope", "link"];
        const { stdout } = await new Deno.Command("ip", { args }).output();
        const text = new TextDecoder().decode(stdout);
        ready += text.includes("tentative") ? 0 : text.split("fe80::").length - 1;
      }
      if (ready === ends) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    assert.fail("link-local addresses stayed tentative");
  }
}

async function ip(...args: string[]): Promise<boolean> {
  const { success } = await new Deno.Command("ip", { args, stdout: "null", stderr: "null" })
    .output();
  return success;
}
