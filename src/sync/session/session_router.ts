import { STREAM_CODE } from "../../base/wire_codes.ts";
import { type Message, ProtocolError, type Request } from "../../protocol/mod.ts";
import type { Providers } from "../lane/lane.ts";
import type { LinkHandler } from "../link/peer_link.ts";
import type { DuplexStream } from "../link/transport.ts";
import type { Provider } from "../transfer/provider.ts";

/** A session as its connection sees it. */
export interface RoutedSession extends LinkHandler {
  /** What it sends from, once that is known; none where it sends nothing. */
  readonly provider?: Promise<Provider>;
}

/** The asking side of a connection that sees many sessions, one after the other or side by side. */
export class SessionRouter implements LinkHandler, Providers {
  /** Hears that the peer says that a share has changed. */
  onChanged: () => void;
  readonly #sessions = new Map<number, RoutedSession>();
  #next = 1;

  constructor(onChanged: () => void = () => {}) {
    this.onChanged = onChanged;
  }

  /** Makes a session with the next number and passes on what is for it. */
  begin<S extends RoutedSession>(make: (session: number) => S): { id: number; session: S } {
    const id = this.#next++;
    const session = make(id);
    this.#sessions.set(id, session);
    return { id, session };
  }

  /** What still comes for it is dropped from now on. */
  end(id: number): void {
    this.#sessions.delete(id);
  }

  handleMessage(message: Message): void {
    switch (message.type) {
      case "changed":
        return this.onChanged();
      case "go-away":
        return;
      case "sync-accept":
      case "sync-ack":
      case "working":
        return this.#find(message.session)?.handleMessage(message);
      case "error":
        if (message.session !== 0) return this.#find(message.session)?.handleMessage(message);
        for (const session of [...this.#sessions.values()]) session.handleMessage(message);
        return;
      default:
        throw new ProtocolError(`Message ${message.type} is not for the syncing side`);
    }
  }

  async handleRequest(request: Request, stream: DuplexStream): Promise<void> {
    const session = this.#find(request.session);
    if (session !== undefined) return await session.handleRequest(request, stream);
    stream.send.reset(STREAM_CODE.gone);
    stream.recv.stop(STREAM_CODE.gone);
  }

  async providerOf(session: number): Promise<Provider | undefined> {
    return await this.#find(session)?.provider;
  }

  /** `undefined` for one that is over. @throws {ProtocolError} for one that never was. */
  #find(id: number): RoutedSession | undefined {
    if (id === 0 || id >= this.#next) throw new ProtocolError("Message for a session that is none");
    return this.#sessions.get(id);
  }
}
