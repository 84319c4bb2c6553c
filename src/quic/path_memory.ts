import { isLoopback } from "./address.ts";
import { aged, NO_EVIDENCE, type PathEvidence } from "./path_class.ts";

/** Hosts to remember. */
const HOSTS_MAX = 64;

/**
 * What was seen of the paths to hosts, for the next connection with each: those of latest use.
 *
 * Loopback is no path to learn of: what is lost on it, a socket had no room for. CUBIC would fill its
 * buffers of megabytes, and control messages would wait behind them for nothing: figures in
 * docs/performance.md, "Networks".
 */
export class PathMemory {
  readonly #paths = new Map<string, PathEvidence>();
  #isChanged = false;

  /** @param known As `entries()` gave it. */
  constructor(known: Iterable<readonly [host: string, path: PathEvidence]> = []) {
    for (const [host, path] of known) this.note(host, path);
    this.#isChanged = false;
  }

  /** True if something was learnt since it was made. */
  get isChanged(): boolean {
    return this.#isChanged;
  }

  /** @param host A numeric address. */
  get(host: string): PathEvidence {
    return this.#paths.get(host) ?? NO_EVIDENCE;
  }

  /** Takes all that is known of a path now. */
  note(host: string, path: PathEvidence): void {
    const before = this.#paths.get(host) ?? NO_EVIDENCE;
    if (isLoopback(host) || isEqual(before, path)) return;
    this.#paths.delete(host);
    this.#paths.set(host, aged(path));
    for (const oldest of this.#paths.keys()) {
      if (this.#paths.size <= HOSTS_MAX) break;
      this.#paths.delete(oldest);
    }
    this.#isChanged = true;
  }

  /** All of it, that of latest use last. */
  entries(): Iterable<readonly [host: string, path: PathEvidence]> {
    return this.#paths.entries();
  }
}

function isEqual(a: PathEvidence, b: PathEvidence): boolean {
  return a.rttMs === b.rttMs && a.packets === b.packets && a.lost === b.lost;
}
