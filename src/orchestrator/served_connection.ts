import { toHex } from "../base/bytes.ts";
import type { DeviceId } from "../base/ids.ts";
import type { Hello, Message, Request, WireError } from "../protocol/mod.ts";
import {
  type DuplexStream,
  JoinedHandler,
  type LinkGroup,
  type LinkHandler,
  type PeerLink,
  type Responder,
} from "../sync/mod.ts";
import { LaneTickets } from "./lanes/lane_tickets.ts";
import type { WireSum } from "./pool/wire_sum.ts";

/** How long a connection that was not let in gets to hear why. */
const REFUSAL_MS = 1_000;

/** A connection that carries sessions, with those that joined it. */
export interface ServedGroup {
  readonly responder: Responder;
  /** What all its connections moved. */
  readonly wire: WireSum;
  readonly peerId: DeviceId;
  /** Where its first connection comes from. */
  readonly host: string;
}

/** Groups that are open, by the peer whose they are and the id that it gave them. */
export class ServedGroups {
  readonly #groups = new Map<string, ServedGroup>();
  /** Of connections that are to be served by other threads. */
  readonly tickets = new LaneTickets<ServedGroup>();

  /** Another group of that peer by the same id stays; the newer one gets no company. */
  add(peerId: DeviceId, group: Uint8Array, served: ServedGroup): void {
    const key = keyOf(peerId, group);
    if (this.#groups.has(key)) return;
    this.#groups.set(key, served);
    this.tickets.add(served, group);
    void served.responder.group!.ended.then(() => {
      this.#groups.delete(key);
      this.tickets.delete(served);
    });
  }

  find(peerId: DeviceId, group: Uint8Array): ServedGroup | undefined {
    return this.#groups.get(keyOf(peerId, group));
  }
}

/** What a {@linkcode ServedConnection} works with. */
export interface ServedConnectionOptions {
  readonly peerId: DeviceId;
  readonly groups: ServedGroups;
  /** Makes what serves a connection that carries sessions. */
  readonly found: () => ServedGroup;
}

/**
 * One accepted connection. Its Hello says what it is: the first of its kind, which carries sessions, or
 * one that helps another connection of the very same peer to move bytes.
 */
export class ServedConnection implements LinkHandler, AsyncDisposable {
  readonly #options: ServedConnectionOptions;
  #link: PeerLink | undefined;
  #handler: LinkHandler | undefined;
  #group: ServedGroup | undefined;
  #isJoined = false;
  #isGuest = false;

  constructor(options: ServedConnectionOptions) {
    this.#options = options;
  }

  /** What it belongs to; `undefined` before the peer's Hello, and where it was not let in. */
  get group(): ServedGroup | undefined {
    return this.#group;
  }

  /** What serves its sessions; `undefined` where it carries none. */
  get responder(): Responder | undefined {
    return this.#isJoined ? undefined : this.#group?.responder;
  }

  /** True where it neither joins a group nor founds one. */
  get isGuest(): boolean {
    return this.#isGuest;
  }

  get links(): LinkGroup | undefined {
    return this.#group?.responder.group;
  }

  attach(link: PeerLink): void {
    this.#link = link;
  }

  handleHello(hello: Hello): void {
    if (hello.joins) return this.#join(hello.group!);
    const served = this.#group = this.#options.found();
    this.#handler = served.responder;
    served.responder.attach(this.#link!);
    this.#isGuest = hello.group === undefined;
    if (hello.group) this.#options.groups.add(this.#options.peerId, hello.group, served);
  }

  handleMessage(message: Message): void {
    this.#handler?.handleMessage(message);
  }

  async handleRequest(request: Request, stream: DuplexStream): Promise<void> {
    if (this.#handler === undefined) throw new Error("The connection was not let in");
    await this.#handler.handleRequest(request, stream);
  }

  /** Ends its sessions. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.responder?.[Symbol.asyncDispose]();
  }

  #join(group: Uint8Array): void {
    this.#isJoined = true;
    const served = this.#options.groups.find(this.#options.peerId, group);
    if (served === undefined) return this.#refuse("no_such_group", "No such group of connections");
    if (!served.responder.group!.add(this.#link!)) return this.#refuse("busy", "The group is full");
    this.#group = served;
    this.#handler = new JoinedHandler(served.responder);
  }

  /** Says why, and leaves the peer time to hear it before it hangs up. */
  #refuse(code: WireError, message: string): void {
    const link = this.#link!;
    link.send({ type: "error", session: 0, code, message }).catch(() => {});
    const timer = setTimeout(() => void link.close(), REFUSAL_MS);
    void link.ended.then(() => clearTimeout(timer));
  }
}

function keyOf(peerId: DeviceId, group: Uint8Array): string {
  return `${peerId} ${toHex(group)}`;
}
