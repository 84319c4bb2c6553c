/** A network cable in memory, and machines on it. */
import {
  type LinkEvents,
  type LinkOpener,
  type LinkSpec,
  MdnsDiscovery,
  type MdnsOptions,
} from "../../src/discovery/mod.ts";
import { loadDnsCodec } from "../../src/discovery/dns_codec.ts";

export const codec = await loadDnsCodec();

/** The one link of a machine with this IPv4 address in 192.0.2.0/24. */
export function linkOf(address: string, more: Partial<LinkSpec> = {}): LinkSpec {
  return {
    family: 4,
    name: "eth0",
    zone: "eth0",
    addresses: [address],
    subnets: [`${address}/24`],
    multicastInterface: address,
    ...more,
  };
}

/** Everything sent reaches everyone on the wire, the sender too. */
export class Wire {
  /** All messages so far, in order. */
  readonly sent: { from: string; bytes: Uint8Array }[] = [];
  readonly #members = new Map<LinkEvents, string>();

  opener(address: string): LinkOpener {
    return (_spec, events) => {
      this.#members.set(events, address);
      return Promise.resolve({
        send: (bytes) => {
          if (this.#members.has(events)) this.send(bytes, address);
          return Promise.resolve();
        },
        close: () => {
          this.#members.delete(events);
          return Promise.resolve();
        },
      });
    };
  }

  /** Puts any bytes on the wire. */
  send(bytes: Uint8Array, from: string, port = 5353): void {
    this.sent.push({ from, bytes });
    for (const events of [...this.#members.keys()]) {
      queueMicrotask(() => {
        if (this.#members.has(events)) events.onPacket(bytes, { address: from, port });
      });
    }
  }

  get openLinks(): number {
    return this.#members.size;
  }

  machine(address: string, options: MdnsOptions = {}): MdnsDiscovery {
    return new MdnsDiscovery({
      links: () => [linkOf(address)],
      openLink: this.opener(address),
      ...options,
    });
  }
}

/** Lets everything that waits for microtasks and zero timers happen. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setTimeout(resolve, 0));
}

/** Waits for something that takes a few turns of the event loop; fails long after it should be. */
export async function until(condition: () => boolean): Promise<void> {
  const giveUpAt = Date.now() + 10_000;
  while (!condition()) {
    if (Date.now() > giveUpAt) throw new Error(`never came true: ${condition}`);
    await settle();
  }
}
