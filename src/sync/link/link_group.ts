import { LandropicError } from "../../base/errors.ts";
import { CLOSE_CODE, STREAM_CODE } from "../../base/wire_codes.ts";
import type { Message, Request } from "../../protocol/mod.ts";
import { Lane } from "../lane/lane.ts";
import { isBulk } from "./bulk.ts";
import type { PeerLink } from "./peer_link.ts";
import { type Answer, AnswerCut, type AskOptions, type SessionLink } from "./requester.ts";
import { type DuplexStream, URGENCY } from "./transport.ts";

/** Connections of one group, those that are being replaced included. */
export const GROUP_LINKS_MAX = 4;

/**
 * The connections with one peer that work together. The first carries the sessions: their messages, their
 * plans, their ends. Requests for bytes go to whichever connection has the least to do, and move to
 * another one when theirs breaks or is to be replaced. The group ends with its first connection; any other
 * may come and go.
 */
export class LinkGroup implements SessionLink, AsyncDisposable {
  readonly primary: PeerLink;
  readonly #members: Member[];
  readonly #lanes = new Map<Lane, { isRetiring: boolean }>();

  /** Owns the links from now on. */
  constructor(primary: PeerLink) {
    this.primary = primary;
    this.#members = [new Member(primary)];
    void primary.ended.then((error) => {
      const code = isProtocolError(error) ? CLOSE_CODE.protocolError : CLOSE_CODE.normal;
      for (const { link } of this.#members) void link.close(code);
      for (const lane of this.#lanes.keys()) void lane.close(code);
    });
  }

  get ended(): Promise<Error | undefined> {
    return this.primary.ended;
  }

  /** Connections that are alive. */
  get size(): number {
    return this.#members.length + this.#lanes.size;
  }

  knows(feature: string): boolean {
    return this.primary.knows(feature);
  }

  get heardAtMs(): number | undefined {
    return this.primary.heardAtMs;
  }

  askForSign(): void {
    this.primary.askForSign();
  }

  send(message: Message): Promise<void> {
    return this.primary.send(message);
  }

  request(request: Request, urgency: number): Promise<DuplexStream> {
    return this.primary.request(request, urgency);
  }

  async ask(request: Request, urgency: number, options?: AskOptions): Promise<Answer> {
    if (!isBulk(request)) return await this.primary.ask(request, urgency, options);
    const failed = new Set<Member>();
    for (;;) {
      const member = this.#leastBusy(failed);
      const answer = new GroupAnswer(member, { urgency, isLast: member.link === this.primary });
      try {
        await answer.begin(request, options);
        return answer;
      } catch (error) {
        answer[Symbol.dispose]();
        if (member.link === this.primary) throw error;
        failed.add(member);
      }
    }
  }

  /**
   * Takes in another connection with the same peer, and gives it its share of what is being fetched.
   *
   * @returns False if the group is full, or has ended.
   */
  add(link: PeerLink): boolean {
    if (this.#isFull) return false;
    const member = new Member(link);
    this.#members.push(member);
    void link.ended.then((error) => {
      this.#members.splice(this.#members.indexOf(member), 1);
      if (isProtocolError(error)) void this.primary.close(CLOSE_CODE.protocolError, error);
    });
    this.#leaveRetiring();
    this.#spread();
    return true;
  }

  /** Takes in a connection that another thread owns. @returns False if the group is full, or has ended. */
  addLane(lane: Lane): boolean {
    if (this.#isFull) return false;
    this.#lanes.set(lane, { isRetiring: false });
    void lane.ended.then((error) => {
      this.#lanes.delete(lane);
      if (isProtocolError(error)) void this.primary.close(CLOSE_CODE.protocolError, error);
    });
    this.#leaveRetiring();
    this.#spread();
    return true;
  }

  pickLane(): Lane | undefined {
    const lane = this.#leastBusyLane();
    // This thread has the rest of the session to see to.
    return lane !== undefined && lane.jobs <= this.#leastBusy(NONE).load ? lane : undefined;
  }

  get hasFreeLane(): boolean {
    const lane = this.#leastBusyLane();
    return lane !== undefined && lane.jobs + 1 < this.#members[0]!.load;
  }

  /** Lets no more requests for bytes onto a connection, as soon as there is another for them. */
  retire(link: PeerLink | Lane): void {
    if (link instanceof Lane) return this.#retireLane(link);
    const member = this.#members.find((one) => one.link === link);
    if (member === undefined || member.isRetiring) return;
    member.isRetiring = true;
    this.#leaveRetiring();
  }

  /** Requests for bytes that run on a connection, of this side and of the peer. */
  loadOf(link: PeerLink | Lane): number {
    if (link instanceof Lane) return link.load;
    const member = this.#members.find((one) => one.link === link);
    return member === undefined ? 0 : member.answers.size + link.serving;
  }

  /** Ends all its connections. */
  async [Symbol.asyncDispose](): Promise<void> {
    const links = [...this.#members.map(({ link }) => link), ...this.#lanes.keys()];
    await Promise.all(links.map((link) => link.close()));
  }

  get #isFull(): boolean {
    return this.size >= GROUP_LINKS_MAX || this.primary.isEnded;
  }

  #retireLane(lane: Lane): void {
    const state = this.#lanes.get(lane);
    if (state === undefined || state.isRetiring) return;
    state.isRetiring = true;
    lane.callOff();
  }

  #leastBusyLane(): Lane | undefined {
    let best: Lane | undefined;
    for (const [lane, { isRetiring }] of this.#lanes) {
      if (!isRetiring && !lane.isEnded && lane.jobs < (best?.jobs ?? Infinity)) best = lane;
    }
    return best;
  }

  #leastBusy(except: ReadonlySet<Member>): Member {
    const able = this.#members.filter((member) => !except.has(member) && !member.link.isEnded);
    const fresh = able.filter((member) => !member.isRetiring);
    const choice = fresh.length > 0 ? fresh : able;
    if (choice.length === 0) return this.#members[0]!;
    return choice.reduce((a, b) => b.load < a.load ? b : a);
  }

  #leaveRetiring(): void {
    const lanes = [...this.#lanes.values()];
    if ([...this.#members, ...lanes].every((member) => member.isRetiring)) return;
    for (const member of this.#members) {
      if (member.isRetiring) { for (const answer of member.answers) answer.move(); }
    }
  }

  /** Large answers would stay where they began long after others have come to help. */
  #spread(): void {
    const members = this.#members.filter((member) => !member.isRetiring);
    let total = members.reduce((sum, { load }) => sum + load, 0);
    for (const lane of this.#lanes.keys()) total += lane.jobs;
    const share = Math.ceil(total / (members.length + this.#lanes.size));
    for (const member of members) {
      for (const answer of member.answers) {
        if (member.load <= share) break;
        if (answer.urgency >= URGENCY.largeFiles) answer.move();
      }
    }
  }
}

/** One connection of a group. */
class Member {
  readonly answers = new Set<GroupAnswer>();
  isRetiring = false;

  constructor(readonly link: PeerLink) {}

  /** Requests that stay here. */
  get load(): number {
    let load = 0;
    for (const answer of this.answers) if (!answer.isMoved) load++;
    return load;
  }
}

/** An answer that may be called off, to be asked for again on another connection. */
class GroupAnswer implements Answer {
  readonly urgency: number;
  readonly #member: Member;
  /** There is no other connection to ask on when this one breaks. */
  readonly #isLast: boolean;
  #answer: Answer | undefined;
  isMoved = false;

  constructor(member: Member, options: { readonly urgency: number; readonly isLast: boolean }) {
    this.#member = member;
    this.urgency = options.urgency;
    this.#isLast = options.isLast;
    // Counted from the beginning: others that begin meanwhile choose by it.
    member.answers.add(this);
  }

  async begin(request: Request, options?: AskOptions): Promise<void> {
    this.#answer = await this.#member.link.ask(request, this.urgency, options);
    if (this.isMoved) this.#answer.stop(STREAM_CODE.cancelled);
  }

  read(into: Uint8Array): Promise<number | null> {
    return this.#answer!.read(into).catch((error) => {
      throw this.isMoved || !this.#isLast ? new AnswerCut(error) : error;
    });
  }

  stop(code: number): void {
    this.#answer?.stop(code);
  }

  move(): void {
    if (this.isMoved) return;
    this.isMoved = true;
    this.stop(STREAM_CODE.cancelled);
  }

  [Symbol.dispose](): void {
    this.#member.answers.delete(this);
  }
}

const NONE: ReadonlySet<Member> = new Set();

function isProtocolError(error: Error | undefined): boolean {
  return error instanceof LandropicError && error.code === "protocol";
}
