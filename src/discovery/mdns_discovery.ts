import { networkInterfaces } from "node:os";
import { type Clock, delay, systemClock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import { type Logger, silentLogger } from "../base/log.ts";
import {
  assertAnnouncement,
  type Discovery,
  type PeerHint,
  SEARCH_MS,
  type SearchOptions,
  type ServiceAnnouncement,
} from "./discovery.ts";
import { type DnsCodec, type DnsPacket, loadDnsCodec } from "./dns_codec.ts";
import { HintCollector } from "./hint_collector.ts";
import { HintQueue } from "./hint_queue.ts";
import { readHints } from "./hint_reader.ts";
import { guessZones, linkKey, type LinkSpec, listLinks } from "./link_spec.ts";
import { type LinkOpener, type MulticastLink, openMulticastLink } from "./multicast_link.ts";
import { PacketGuard } from "./packet_guard.ts";
import {
  answersQuestion,
  type LocalService,
  nameService,
  searchQuery,
  serviceResponse,
} from "./service_records.ts";

/** What a discovery runs on; tests replace it. */
export interface MdnsOptions {
  readonly logger?: Logger;
  readonly clock?: Clock;
  /** Lists the links to speak on; called again while anything is announced or searched. */
  readonly links?: () => LinkSpec[];
  readonly openLink?: LinkOpener;
  /** How often to look for interfaces that came or went; default 10 s. */
  readonly linksCheckedEveryMs?: number;
}

/** A link that is spoken on. */
interface OpenLink {
  readonly spec: LinkSpec;
  readonly socket: MulticastLink;
  /** When each service was last told there. */
  readonly toldAtMs: Map<string, number>;
  /** Services that were asked for and will be told there. */
  readonly answering: Set<string>;
}

interface Search {
  readonly collector: HintCollector;
  readonly queue: HintQueue;
}

/**
 * Multicast DNS service discovery (RFC 6762, RFC 6763) on every interface, over IPv4 and IPv6. Only
 * the part that hints need: it announces, answers, says goodbye and asks; it keeps no cache and
 * resolves no names of others.
 *
 * Sockets open with the first announcement or search and stay until the discovery is disposed.
 */
export class MdnsDiscovery implements Discovery {
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #listLinks: () => LinkSpec[];
  readonly #openLink: LinkOpener;
  readonly #linksCheckedEveryMs: number;
  readonly #links = new Map<string, OpenLink>();
  readonly #services = new Map<string, LocalService>();
  readonly #searches = new Set<Search>();
  readonly #disposal = new AbortController();
  #codec: DnsCodec | undefined;
  #starting: Promise<void> | undefined;
  #watching: Promise<void> | undefined;

  constructor(options: MdnsOptions = {}) {
    this.#logger = options.logger ?? silentLogger;
    this.#clock = options.clock ?? systemClock;
    this.#listLinks = options.links ??
      (() => listLinks(networkInterfaces(), Deno.build.os === "windows"));
    this.#openLink = options.openLink ?? openMulticastLink;
    this.#linksCheckedEveryMs = options.linksCheckedEveryMs ?? LINKS_CHECKED_EVERY_MS;
  }

  async announce(announcement: ServiceAnnouncement): Promise<AsyncDisposable> {
    assertAnnouncement(announcement);
    const random = crypto.getRandomValues(new Uint8Array(INSTANCE_RANDOM_BYTES));
    const service = nameService(announcement, random);
    await this.#start();
    this.#services.set(service.instance, service);
    const ended = new AbortController();
    const repeating = this.#announceRepeatedly(service, ended.signal);
    return {
      [Symbol.asyncDispose]: async () => {
        if (ended.signal.aborted) return;
        ended.abort();
        await repeating;
        await this.#sayGoodbye(service);
      },
    };
  }

  async *discover(options: SearchOptions = {}): AsyncGenerator<PeerHint, void> {
    const search: Search = { collector: new HintCollector(options), queue: new HintQueue() };
    const ended = new AbortController();
    if (this.#disposal.signal.aborted) return;
    this.#searches.add(search);
    let asking: Promise<void> | undefined;
    try {
      const hints = search.queue.read(options.timeoutMs ?? SEARCH_MS, options.signal);
      await this.#start();
      asking = this.#askRepeatedly(ended.signal);
      yield* hints;
    } finally {
      this.#searches.delete(search);
      ended.abort();
      await asking;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposal.abort();
    for (const { queue } of this.#searches) queue.end();
    await this.#starting?.catch(() => {});
    await this.#watching;
    await Promise.all([...this.#services.values()].map((service) => this.#sayGoodbye(service)));
    await Promise.all([...this.#links.values()].map(({ socket }) => socket.close()));
    this.#links.clear();
  }

  /** Opens what there is to open, once; then keeps watching for interfaces that come and go. */
  #start(): Promise<void> {
    return this.#starting ??= (async () => {
      this.#codec = await loadDnsCodec();
      await this.#refreshLinks();
      if (this.#links.size === 0) {
        this.#logger.log("warn", "No network interface can be searched for peers");
      }
      this.#watching = this.#watchLinks();
    })();
  }

  async #watchLinks(): Promise<void> {
    while (await this.#pause(this.#linksCheckedEveryMs, this.#disposal.signal)) {
      await this.#refreshLinks();
    }
  }

  /** Closes links that are gone, opens new ones and tells and asks there what is told and asked. */
  async #refreshLinks(): Promise<void> {
    const specs = new Map(this.#listLinks().map((spec) => [linkKey(spec), spec]));
    for (const [key, { socket }] of this.#links) {
      if (specs.has(key)) continue;
      this.#links.delete(key);
      await socket.close();
    }
    for (const [key, spec] of specs) {
      if (this.#disposal.signal.aborted) return;
      if (this.#links.has(key)) continue;
      const socket = await this.#open(key, spec);
      if (!socket) continue;
      const link: OpenLink = { spec, socket, toldAtMs: new Map(), answering: new Set() };
      this.#links.set(key, link);
      for (const service of this.#services.values()) await this.#tell(link, service);
      if (this.#searches.size > 0) await this.#send(link, searchQuery());
    }
  }

  async #open(key: string, spec: LinkSpec): Promise<MulticastLink | undefined> {
    const guard = new PacketGuard(spec.subnets);
    const fields = { interface: spec.name, family: spec.family };
    try {
      return await this.#openLink(spec, {
        onPacket: (bytes, source) => {
          if (!guard.admits(bytes, source, this.#clock.nowMs())) return;
          const packet = this.#codec!.decode(bytes);
          if (packet?.type === "query") this.#handleQuery(this.#links.get(key), packet);
          else if (packet?.type === "response") this.#handleResponse(packet, source.address);
        },
        onProblem: (message) => this.#logger.log("debug", `Discovery: ${message}`, fields),
      });
    } catch (error) {
      this.#logger.log("debug", `Discovery cannot use an interface: ${messageOf(error)}`, fields);
      return undefined;
    }
  }

  #handleQuery(link: OpenLink | undefined, packet: DnsPacket): void {
    if (!link) return;
    for (const service of this.#services.values()) {
      const isAsked = packet.questions.some((question) => answersQuestion(service, question));
      if (isAsked) void this.#tellInTime(link, service);
    }
  }

  #handleResponse(packet: DnsPacket, source: string): void {
    if (this.#searches.size === 0) return;
    const specs = [...this.#links.values()].map(({ spec }) => spec);
    const zones = guessZones(packet, source, specs);
    for (const hint of readHints(packet, { address: source, zones })) {
      if (this.#services.has(hint.instance)) continue;
      for (const { collector, queue } of this.#searches) {
        const news = collector.handleHint(hint, source);
        if (news) queue.push(news);
      }
    }
  }

  /** Tells twice, in case the first is lost (RFC 6762 section 8.3); later it is enough to answer. */
  async #announceRepeatedly(service: LocalService, signal: AbortSignal): Promise<void> {
    for (let i = 0; i < ANNOUNCEMENTS; i++) {
      if (i > 0 && !await this.#pause(TOLD_AGAIN_AFTER_MS, signal)) return;
      await Promise.all([...this.#links.values()].map((link) => this.#tell(link, service)));
    }
  }

  /** Asks at once, then after 1, 2, 4 … seconds (RFC 6762 section 5.2). */
  async #askRepeatedly(signal: AbortSignal): Promise<void> {
    for (let waitMs = ASKED_AGAIN_AFTER_MS;; waitMs = Math.min(waitMs * 2, ASKED_EVERY_MS_MAX)) {
      const query = searchQuery();
      await Promise.all([...this.#links.values()].map((link) => this.#send(link, query)));
      if (!await this.#pause(waitMs, signal)) return;
    }
  }

  async #sayGoodbye(service: LocalService): Promise<void> {
    if (!this.#services.delete(service.instance)) return;
    await Promise.all([...this.#links.values()].map((link) => {
      link.toldAtMs.delete(service.instance);
      return this.#send(link, serviceResponse(service, link.spec.addresses, true));
    }));
  }

  /**
   * Answers at most once a second on a link, however many ask (RFC 6762 section 6). Whoever asks
   * within that second is answered at its end; some ask only once.
   */
  async #tellInTime(link: OpenLink, service: LocalService): Promise<void> {
    const { instance } = service;
    if (link.answering.has(instance)) return;
    link.answering.add(instance);
    const quietUntilMs = (link.toldAtMs.get(instance) ?? -Infinity) + TOLD_AGAIN_AFTER_MS;
    const waitMs = quietUntilMs - this.#clock.nowMs();
    const isTime = waitMs <= 0 || await this.#pause(waitMs, this.#disposal.signal);
    link.answering.delete(instance);
    if (isTime && this.#services.has(instance)) await this.#tell(link, service);
  }

  async #tell(link: OpenLink, service: LocalService): Promise<void> {
    link.toldAtMs.set(service.instance, this.#clock.nowMs());
    await this.#send(link, serviceResponse(service, link.spec.addresses));
  }

  async #send(link: OpenLink, packet: DnsPacket): Promise<void> {
    await link.socket.send(this.#codec!.encode(packet));
  }

  /** Waits; false where the wait was cut short by the signal or the end of this discovery. */
  async #pause(ms: number, signal: AbortSignal): Promise<boolean> {
    try {
      await delay(ms, AbortSignal.any([signal, this.#disposal.signal]));
      return true;
    } catch {
      return false;
    }
  }
}

const INSTANCE_RANDOM_BYTES = 3;
const ANNOUNCEMENTS = 2;
const TOLD_AGAIN_AFTER_MS = 1000;
const ASKED_AGAIN_AFTER_MS = 1000;
const ASKED_EVERY_MS_MAX = 60_000;
const LINKS_CHECKED_EVERY_MS = 10_000;
