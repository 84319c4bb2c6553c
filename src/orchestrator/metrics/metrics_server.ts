import { LandropicError } from "../../base/errors.ts";
import { formatHostPort, type HostPort } from "../../quic/mod.ts";

/** Where the metrics are; anything else is not found. */
const PATH = "/metrics";

/** What can be scraped. */
export interface MetricsSource {
  /** Of the text. */
  readonly contentType: string;
  /** All metrics as they are now. */
  render(): Promise<string>;
}

/** Answers `GET /metrics` over HTTP until it is disposed. */
export class MetricsServer implements AsyncDisposable {
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #stop: AbortController;

  /**
   * Binds the address and answers from now on.
   *
   * @param listen Port 0 takes a free one; see `url`.
   * @throws {LandropicError} `failed` if it cannot be bound.
   */
  static start(listen: HostPort, source: MetricsSource): MetricsServer {
    const stop = new AbortController();
    try {
      const server = Deno.serve({
        hostname: listen.host,
        port: listen.port,
        signal: stop.signal,
        onListen: () => {},
      }, (request) => answer(request, source));
      return new MetricsServer(server, stop);
    } catch (error) {
      throw bindError(listen, error);
    }
  }

  private constructor(server: Deno.HttpServer<Deno.NetAddr>, stop: AbortController) {
    this.#server = server;
    this.#stop = stop;
  }

  /** Where to scrape. */
  get url(): string {
    const { hostname, port } = this.#server.addr;
    return `http://${formatHostPort({ host: hostname, port })}${PATH}`;
  }

  /** Hangs up on whoever is being answered. Safe to call twice. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#server.finished;
  }
}

async function answer(request: Request, source: MetricsSource): Promise<Response> {
  if (request.method !== "GET" || new URL(request.url).pathname !== PATH) {
    return new Response(`Not found; see ${PATH}\n`, { status: 404 });
  }
  const headers = { "content-type": source.contentType, "cache-control": "no-store" };
  return new Response(await source.render(), { headers });
}

function bindError(listen: HostPort, error: unknown): LandropicError {
  const [why, hint] = error instanceof Deno.errors.AddrInUse
    ? ["the port is in use", "stop the other program, or choose another port; 0 picks a free one"]
    : error instanceof Deno.errors.PermissionDenied
    ? ["not allowed", "ports below 1024 need extra rights"]
    : ["this machine has no such address", "metrics are for this machine with 127.0.0.1 or [::1]"];
  const where = formatHostPort(listen);
  return new LandropicError("failed", `Cannot offer metrics on ${where}: ${why}`, hint, error);
}
