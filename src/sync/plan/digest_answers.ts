import type { Digest } from "../../base/digest.ts";
import { STATUS } from "../../protocol/mod.ts";
import { digestOfDir } from "../content/dir_content.ts";
import { untilSent } from "../link/sent.ts";
import type { DigestQuestion, Side } from "../reconcile/mod.ts";
import type { Snapshot } from "../scan/snapshot.ts";
import type { OpenShare } from "../share/open_share.ts";
import type { RemoteShare } from "../transfer/remote_share.ts";
import type { AskedAhead } from "./asked_ahead.ts";

/** Whom {@linkcode DigestAnswers} ask. */
export interface DigestAnswersOptions {
  readonly share: Pick<OpenShare, "content" | "index">;
  readonly snapshot: Snapshot;
  readonly remote: Pick<RemoteShare, "getDigests" | "getEarlier">;
  readonly mode: "push" | "pull" | "two-way";
  readonly ahead: AskedAhead;
}

/**
 * Answers questions for digests: from what is remembered, by reading the own files, and by asking the peer,
 * both at the same time.
 */
export class DigestAnswers {
  readonly #options: DigestAnswersOptions;
  /** Each side answers one portion after the other: it goes through its directories in their order. */
  readonly #turns: Record<Side, Promise<void>> = {
    local: Promise.resolve(),
    remote: Promise.resolve(),
  };

  constructor(options: DigestAnswersOptions) {
    this.#options = options;
  }

  /** In the order of the questions; `undefined` where nobody can tell. */
  async answer(questions: readonly DigestQuestion[]): Promise<(Digest | undefined)[]> {
    const { remote, ahead } = this.#options;
    const known = new Map<DigestQuestion, Digest | undefined>();
    for (const question of questions) {
      const digest = this.#digestOfEarlier(question);
      if (digest !== undefined) known.set(question, digest);
    }
    const toRemote = questions.filter((asked) => asked.side === "remote" && !known.has(asked));
    const isAsked = ({ path, isEarlier }: DigestQuestion) => !isEarlier && ahead.hasDigest(path);
    const before = toRemote.filter(isAsked);
    const now = toRemote.filter((question) => !question.isEarlier && !isAsked(question));
    const earlier = toRemote.filter(({ isEarlier }) => isEarlier);
    const answering = this.#inTurn("remote", () =>
      Promise.all([
        remote.getDigests(now.map(({ path }) => path)),
        remote.getEarlier(earlier.map(({ path, entry }) => ({ path, ...versionOf(entry) }))),
      ]));
    answering.catch(() => {});
    if (now.length + earlier.length > 0) await untilSent();
    await this.#inTurn("local", async () => {
      for (const question of questions) {
        if (question.side === "local") known.set(question, await this.#localDigest(question));
      }
    });
    const answers = (await answering).flat();
    for (const { path } of before) answers.push(await ahead.digest(path) ?? STATUS.changed);
    for (const [i, question] of [...now, ...earlier, ...before].entries()) {
      const answer = answers[i]!;
      if (typeof answer === "number") continue;
      const { entry } = question;
      const isVersion = entry.kind === "dir" ||
        (answer.size === entry.size && answer.mtimeMs === entry.mtimeMs);
      if (isVersion) known.set(question, answer.digest);
    }
    return questions.map((question) => known.get(question));
  }

  /**
   * What the peer has where its file is as the own one was before it changed: it came from here. Not both ways,
   * where a file that was never compared could count as one that both had.
   */
  #digestOfEarlier({ side, path, entry, isEarlier }: DigestQuestion): Digest | undefined {
    const { share, mode } = this.#options;
    if (mode === "two-way" || side !== "remote" || isEarlier || entry.kind !== "file") {
      return undefined;
    }
    return share.index.earlierDigest(path, entry);
  }

  async #localDigest(
    { path, entry, isEarlier }: DigestQuestion,
  ): Promise<Digest | undefined> {
    const { share, snapshot } = this.#options;
    if (isEarlier) return share.index.earlierDigest(path, versionOf(entry));
    if (entry.kind === "dir") return await digestOfDir(path, snapshot, share.content);
    const answer = await share.content.digestOf(path, entry);
    return typeof answer === "number" ? undefined : answer.digest;
  }

  #inTurn<T>(side: Side, work: () => Promise<T>): Promise<T> {
    const working = this.#turns[side].then(work);
    // Whoever asked hears of a failure; the next one finds out for itself.
    this.#turns[side] = working.then(() => {}, () => {});
    return working;
  }
}

function versionOf(entry: DigestQuestion["entry"]): { size: number; mtimeMs: number } {
  return entry.kind === "dir" ? { size: 0, mtimeMs: 0 } : entry;
}
