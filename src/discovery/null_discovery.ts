import { assertAnnouncement, type Discovery, type PeerHint } from "./discovery.ts";

/** Tells nobody and finds nobody, at once: `--no-discovery`. */
export class NullDiscovery implements Discovery {
  announce(service: Parameters<Discovery["announce"]>[0]): Promise<AsyncDisposable> {
    assertAnnouncement(service);
    return Promise.resolve({ [Symbol.asyncDispose]: () => Promise.resolve() });
  }

  async *discover(): AsyncGenerator<PeerHint, void> {}

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}
