import { LandropicError } from "../../base/errors.ts";
import { type Message, ProtocolError, type Request } from "../../protocol/mod.ts";
import { type BulkRequest, isBulk } from "./bulk.ts";
import type { LinkHandler } from "./peer_link.ts";
import type { DuplexStream } from "./transport.ts";

/** What answers requests for bytes. */
export interface BulkHandler {
  handleRequest(request: BulkRequest, stream: DuplexStream): Promise<void>;
}

/**
 * Handles what the peer sends on a connection that joined a group: requests for bytes, which belong to
 * the sessions of the group's first connection, and nothing else.
 */
export class JoinedHandler implements LinkHandler {
  readonly #sessions: BulkHandler;

  /** @param sessions What answers requests on the first connection. */
  constructor(sessions: BulkHandler) {
    this.#sessions = sessions;
  }

  handleMessage(message: Message): void {
    switch (message.type) {
      case "error":
        // It was not let in: an end in good order, for this connection alone.
        throw new LandropicError("failed", `Not joined: ${message.message}`);
      case "go-away":
        return;
      default:
        throw new ProtocolError(`Message ${message.type} is not for a joined connection`);
    }
  }

  async handleRequest(request: Request, stream: DuplexStream): Promise<void> {
    if (!isBulk(request)) throw new ProtocolError(`Request ${request.kind} on a joined connection`);
    await this.#sessions.handleRequest(request, stream);
  }
}
