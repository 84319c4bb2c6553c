import { equalBytes, toHex } from "../base/bytes.ts";
import type { Clock } from "../base/clock.ts";
import { type Logger, silentLogger } from "../base/log.ts";
import { join } from "../base/system_path.ts";
import type { TrustLookup } from "./certificate_verifier.ts";
import { resolvePeer } from "./peer_resolver.ts";
import {
  preparePrivateFolder,
  readPrivateFile,
  replacePrivateFile,
  withFolderLock,
} from "./private_folder.ts";
import type { VerifiedRotation } from "./rotation.ts";
import {
  EMPTY_DOCUMENT,
  encodeTrustDocument,
  parseTrustDocument,
  PEERS_BYTES_MAX,
  type TrustDocument,
} from "./trust_document.ts";
import {
  type Entries,
  grantShare,
  type NewTrust,
  removePeer,
  renamePeer,
  rotateKey,
  type Sighting,
  sightPeer,
  trustDevice,
} from "./trust_edits.ts";
import { acceptedKeysOf, keysOf, type ShareGrant, type TrustEntry } from "./trust_entry.ts";

/** File in the identity folder with the trusted peers, JSON, mode 0600. */
export const TRUST_FILE = "peers.json";

/** Where the trust store lives and what time it is. */
export interface TrustStoreOptions {
  /** The state folder; created with mode 0700. */
  readonly folder: string;
  readonly clock: Pick<Clock, "wallMs">;
  readonly logger?: Logger;
}

/**
 * Which devices this one trusts, in memory and in `peers.json`. Every change takes the folder's lock,
 * reads the file anew, and replaces it whole and durably, so processes never undo each other's. What
 * other processes change is seen after {@linkcode TrustStore.reloadIfChanged}.
 *
 * Methods that write throw `locked`, `file_unusable` or `trust_store_broken` besides what they name; a
 * damaged file is never replaced.
 */
export class TrustStore {
  readonly #options: TrustStoreOptions;
  readonly #path: string;
  #document: TrustDocument = EMPTY_DOCUMENT;
  /** Entries by every key they speak of, in hex. */
  #byKey: ReadonlyMap<string, TrustEntry> = new Map();
  #signature = "";

  private constructor(options: TrustStoreOptions) {
    this.#options = options;
    this.#path = join(options.folder, TRUST_FILE);
  }

  /**
   * Opens the store of a folder; no file means that nobody is trusted yet.
   *
   * @throws {IdentityError} `folder_unusable`, `file_unusable`, `trust_store_broken`.
   */
  static async open(options: TrustStoreOptions): Promise<TrustStore> {
    await preparePrivateFolder(options.folder);
    const store = new TrustStore(options);
    await store.#load();
    return store;
  }

  /** The trusted peers by alias; with `revoked`, the removed ones behind them. */
  list({ revoked = false }: { readonly revoked?: boolean } = {}): TrustEntry[] {
    const sorted = (state: TrustEntry["state"]) =>
      this.#document.entries.filter((entry) => entry.state === state)
        .sort((a, b) => a.alias < b.alias ? -1 : a.alias > b.alias ? 1 : 0);
    return revoked ? [...sorted("trusted"), ...sorted("revoked")] : sorted("trusted");
  }

  /** The entry that has, had or announced this key, trusted or revoked. */
  get(fingerprint: Uint8Array): TrustEntry | undefined {
    return this.#byKey.get(toHex(fingerprint));
  }

  /** For the verifier's policy: whether a key is accepted now. Bound; may be passed on as it is. */
  readonly lookup: TrustLookup = (fingerprint) => {
    const entry = this.get(fingerprint);
    if (entry === undefined) return undefined;
    const accepted = this.acceptedKeys(entry);
    return accepted.some((key) => equalBytes(key, fingerprint)) ? "trusted" : "revoked";
  };

  /** The keys to expect when dialling this peer: one, or more while it rotates; none if revoked. */
  acceptedKeys(entry: TrustEntry): Uint8Array[] {
    return acceptedKeysOf(entry, this.#options.clock.wallMs());
  }

  /** The trusted peer that PEER on a command line means; throws as {@linkcode resolvePeer}. */
  resolve(peer: string): TrustEntry {
    return resolvePeer(peer, this.#document.entries);
  }

  /** Trusts a device, durably when this returns; as {@linkcode trustDevice}. */
  async trust(device: NewTrust): Promise<TrustEntry> {
    await this.#change((entries, nowMs) => trustDevice(entries, device, nowMs));
    return this.get(device.fingerprint)!;
  }

  /** Changes what a peer is called here; as {@linkcode renamePeer}. */
  async rename(peer: string, name: string): Promise<TrustEntry> {
    let fingerprint: Uint8Array;
    await this.#change((entries) => {
      ({ fingerprint } = resolvePeer(peer, entries));
      return renamePeer(entries, peer, name);
    });
    return this.get(fingerprint!)!;
  }

  /**
   * Ends the trust in a peer; as {@linkcode removePeer}. Closing its live connections is up to the
   * caller.
   *
   * @returns The tombstone.
   */
  async remove(peer: string): Promise<TrustEntry> {
    let fingerprint: Uint8Array;
    await this.#change((entries, nowMs) => {
      ({ fingerprint } = resolvePeer(peer, entries));
      return removePeer(entries, peer, nowMs);
    });
    return this.get(fingerprint!)!;
  }

  /**
   * Notes that a peer was met; as {@linkcode sightPeer}. A sighting without news is written once a
   * minute at most.
   *
   * @returns The entry, or `undefined` where the key is not accepted.
   */
  async touch(sighting: Sighting): Promise<TrustEntry | undefined> {
    await this.#change((entries, nowMs) => sightPeer(entries, sighting, nowMs));
    const isAccepted = this.lookup(sighting.fingerprint) === "trusted";
    return isAccepted ? this.get(sighting.fingerprint) : undefined;
  }

  /** Says what a peer may do with a share, `undefined` for nothing; as {@linkcode grantShare}. */
  async grant(
    fingerprint: Uint8Array,
    grant: { readonly share: string; readonly access: ShareGrant["access"] | undefined },
  ): Promise<TrustEntry> {
    await this.#change((entries) => grantShare(entries, fingerprint, grant));
    return this.get(fingerprint)!;
  }

  /** Notes the key that a peer is moving to; as {@linkcode rotateKey}. */
  async rotate(rotation: VerifiedRotation): Promise<TrustEntry> {
    await this.#change((entries, nowMs) => rotateKey(entries, rotation, nowMs));
    return this.get(rotation.newFingerprint)!;
  }

  /**
   * Takes over what other processes wrote since. Costs one `stat` where nothing changed.
   *
   * @returns Whether the file was read anew.
   * @throws {IdentityError} `trust_store_broken`, `file_unusable`; the state in memory stays.
   */
  async reloadIfChanged(): Promise<boolean> {
    if (await this.#readSignature() === this.#signature) return false;
    await this.#load();
    return true;
  }

  async #change(edit: (entries: Entries, nowMs: number) => Entries): Promise<void> {
    await withFolderLock(this.#options.folder, async () => {
      await this.#load();
      const { entries, unknownFields } = this.#document;
      const edited = edit(entries, this.#options.clock.wallMs());
      if (edited === entries) return;
      const document = { entries: edited, unknownFields };
      await replacePrivateFile(this.#path, encodeTrustDocument(document));
      this.#adopt(document, await this.#readSignature());
    });
  }

  async #load(): Promise<void> {
    // Before the contents: a change in between is then found by the next reload.
    const signature = await this.#readSignature();
    const { logger = silentLogger } = this.#options;
    const bytes = await readPrivateFile(this.#path, { bytesMax: PEERS_BYTES_MAX, logger });
    if (bytes === undefined && this.#document.entries.length > 0) {
      logger.log("warn", "the file of trusted peers is gone; trusting nobody", {
        path: this.#path,
      });
    }
    const document = bytes ? parseTrustDocument(bytes, this.#path) : EMPTY_DOCUMENT;
    this.#adopt(document, signature);
  }

  #adopt(document: TrustDocument, signature: string): void {
    this.#document = document;
    this.#signature = signature;
    this.#byKey = new Map(
      document.entries.flatMap((entry) => keysOf(entry).map((key) => [toHex(key), entry])),
    );
  }

  /** Differs whenever the file was replaced or written to. */
  async #readSignature(): Promise<string> {
    try {
      const { ino, size, mtime } = await Deno.stat(this.#path);
      return `${ino}:${size}:${mtime?.getTime()}`;
    } catch {
      // Missing or unreadable: reading it says which.
      return "";
    }
  }
}
