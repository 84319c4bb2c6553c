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
  static async make({ addresses = false, cables = 1 }: CableOptions = {}): Promise<TwoHosts> {
    const hosts = new TwoHosts();
    try {
      for (const host of HOSTS) {
        assert.ok(await ip("netns", "add", TAG + host));
        assert.ok(await ip("-n", TAG + host, "link", "set", "lo", "up"));
        // Nobody else is on these cables: link-local addresses need no second of checking.
        const dad = "/proc/sys/net/ipv6/conf/default/accept_dad";
        assert.ok(await ip("netns", "exec", TAG + host, "sh", "-c", `echo 0 > ${dad}`));
      }
      for (let cable = 0; cable < cables; cable++) await hosts.#lay(cable, addresses);
      await hosts.#linkLocalReady(2 * cables);
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
    for (const host of HOSTS) await ip("netns", "del", TAG + host);
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
      assert.ok(await ip("-n", TAG + host, "link", "set", device, "up"));
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
