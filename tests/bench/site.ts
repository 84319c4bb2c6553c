import { Netlab, type NetProfile } from "../support/netlab/netlab.ts";

/** Where the two ends run: on hosts of a netlab, or, without one, both on this machine's loopback. */
export class Site implements AsyncDisposable {
  readonly #lab: Netlab | undefined;

  /**
   * @param profile Without one: loopback, apart from the machine's own where that is possible.
   * @throws {Error} if a profile was asked for that this machine can't have.
   */
  static async open(profile: NetProfile | undefined): Promise<Site> {
    const obstacle = await Netlab.obstacle(profile ?? "loopback");
    if (obstacle !== undefined && profile !== undefined) {
      throw new Error(`no link of type ${profile}: ${obstacle}`);
    }
    return new Site(obstacle === undefined ? await Netlab.up(profile ?? "loopback") : undefined);
  }

  private constructor(lab: Netlab | undefined) {
    this.#lab = lab;
  }

  /** The command line that runs a program on the side that starts the sync. */
  client(program: readonly string[]): string[] {
    return this.#lab?.command("a", program) ?? [...program];
  }

  /** The command line that runs a program on the side that is synced to. It keeps its process id. */
  server(program: readonly string[]): string[] {
    return this.#lab?.command("b", program) ?? [...program];
  }

  /** Where the server is reached. */
  get serverAddress(): string {
    return this.#lab?.address("b") ?? "127.0.0.1";
  }

  /** Bytes on the wire so far; NaN where others' traffic is among them. */
  async wireBytes(): Promise<number> {
    return await this.#lab?.wireBytes() ?? NaN;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lab?.[Symbol.asyncDispose]();
  }
}
