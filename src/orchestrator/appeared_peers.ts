import { equalBytes } from "../base/bytes.ts";
import { CLOSE_CODE } from "../base/wire_codes.ts";
import type { TrustEntry } from "../identity/mod.ts";
import type { QuicConnection } from "../quic/mod.ts";

/**
 * Connections with peers that appeared before anybody asked for them, one a peer. Whoever wants to
 * talk to a peer takes its connection from here instead of dialling. The endpoint closes what is left.
 */
export class AppearedPeers {
  readonly #connections: { readonly entry: TrustEntry; readonly connection: QuicConnection }[] = [];

  /** True while a live connection with the peer waits here. */
  has(entry: TrustEntry): boolean {
    return this.#find(entry) >= 0;
  }

  /** Keeps a connection for whoever asks; a second one with the same peer is closed. */
  put(entry: TrustEntry, connection: QuicConnection): void {
    if (this.has(entry)) return void connection.close(CLOSE_CODE.normal);
    this.#connections.push({ entry, connection });
  }

  /** Hands over the connection with a peer, if there is one; it belongs to the caller then. */
  take(entry: TrustEntry): QuicConnection | undefined {
    const index = this.#find(entry);
    return index < 0 ? undefined : this.#connections.splice(index, 1)[0]!.connection;
  }

  #find(entry: TrustEntry): number {
    for (let i = this.#connections.length - 1; i >= 0; i--) {
      // A server ends those that say nothing for long.
      if (this.#connections[i]!.connection.isClosed) this.#connections.splice(i, 1);
    }
    return this.#connections.findIndex((one) =>
      equalBytes(one.entry.fingerprint, entry.fingerprint)
    );
  }
}
