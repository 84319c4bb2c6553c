import assert from "node:assert/strict";
import { type CliDevice, type ServingDevice, trustingPair } from "./cli_device.ts";
import { assertSameTree, temporaryFolder, type TreeSpec, writeTree } from "./tree.ts";

/** Two devices; `left` is synced with `right`, which is served. */
export class CliSite implements AsyncDisposable {
  readonly #stack = new AsyncDisposableStack();
  readonly path = this.#stack.use(temporaryFolder()).path;
  readonly left = `${this.path}/left`;
  readonly right = `${this.path}/right`;
  a!: CliDevice;
  b!: CliDevice;
  server!: ServingDevice;

  /** Makes both folders and starts to serve the right one. */
  static async make(left: TreeSpec, right: TreeSpec = {}): Promise<CliSite> {
    const site = new CliSite();
    writeTree(site.left, left);
    writeTree(site.right, right);
    [site.a, site.b] = await trustingPair(site.path);
    await site.serve();
    return site;
  }

  /** Serves the right folder, from now on if it was not. */
  async serve(): Promise<void> {
    this.server = this.#stack.use(await this.b.serve(this.right));
  }

  /** One sync, with its events. */
  async sync(...flags: string[]) {
    const args = ["sync", "b", this.left, "--address", this.server.address, "--json", ...flags];
    const result = await this.a.run(...args);
    const errors = result.events.filter(({ event }) => event === "file-error");
    return { ...result, errors, summary: result.events.at(-1)! };
  }

  /** One sync, after which both folders are the same. */
  async inStep(...flags: string[]): Promise<void> {
    const { code, stderr } = await this.sync(...flags);
    assert.equal(code, 0, stderr);
    assertSameTree(this.left, this.right);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}
