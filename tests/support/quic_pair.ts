import {
  type ConnectOptions,
  type EndpointOptions,
  type ListenOptions,
  type QuicConnection,
  QuicEndpoint,
} from "../../src/quic/mod.ts";
import { makeIdentity } from "./quic_identity.ts";

export const TEST_ALPN = "landropic-test/1";
const LOOPBACK = { host: "127.0.0.1", port: 0 };

const serverIdentity = await makeIdentity("server");
const clientIdentity = await makeIdentity("client");

/** What a test changes about the two ends. */
export interface PairOptions {
  readonly server?: Partial<EndpointOptions>;
  readonly client?: Partial<EndpointOptions>;
  readonly listen?: Partial<ListenOptions>;
  readonly connect?: Partial<ConnectOptions>;
}

/** Two endpoints on loopback, the second listening; closes both when disposed. */
export class EndpointPair implements AsyncDisposable {
  readonly accepted: QuicConnection[] = [];
  #waiting: ((connection: QuicConnection) => void)[] = [];

  private constructor(
    readonly client: QuicEndpoint,
    readonly server: QuicEndpoint,
    readonly options: PairOptions,
  ) {
    server.listen({
      alpns: () => [TEST_ALPN],
      verify: () => {},
      onConnection: (connection) => {
        const waiting = this.#waiting.shift();
        if (waiting) waiting(connection);
        else this.accepted.push(connection);
      },
      ...options.listen,
    });
  }

  static async open(options: PairOptions = {}): Promise<EndpointPair> {
    const client = await QuicEndpoint.bind({
      listen: LOOPBACK,
      identity: clientIdentity,
      ...options.client,
    });
    const server = await QuicEndpoint.bind({
      listen: LOOPBACK,
      identity: serverIdentity,
      ...options.server,
    });
    return new EndpointPair(client, server, options);
  }

  /** Dials; rejects as `QuicEndpoint.connect()` does. */
  dial(options: Partial<ConnectOptions> = {}): Promise<QuicConnection> {
    return this.client.connect(
      { host: "127.0.0.1", port: this.server.localAddress.port },
      { alpn: TEST_ALPN, verify: () => {}, ...this.options.connect, ...options },
    );
  }

  /** The next connection that the server accepted. */
  accept(): Promise<QuicConnection> {
    const ready = this.accepted.shift();
    if (ready) return Promise.resolve(ready);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** A connection, seen from the client and from the server. */
  async connect(): Promise<{ near: QuicConnection; far: QuicConnection }> {
    const near = await this.dial();
    return { near, far: await this.accept() };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client[Symbol.asyncDispose]();
    await this.server[Symbol.asyncDispose]();
  }
}
