import { LandropicError, messageOf } from "../../base/errors.ts";
import type { RelPath } from "../../base/paths.ts";
import { CLOSE_CODE } from "../../base/wire_codes.ts";
import { BlockWriter, type Message, ProtocolError, type Request } from "../../protocol/mod.ts";
import { discardHanded, openRoot, type Root } from "../../store/mod.ts";
import type { BulkRequest } from "../link/bulk.ts";
import { JoinedHandler } from "../link/joined_handler.ts";
import type { LinkHandler, PeerLink } from "../link/peer_link.ts";
import type { DuplexStream } from "../link/transport.ts";
import { FileServer, type ServedFile, setBulkPriority } from "../transfer/file_server.ts";
import { type JobPort, runJob } from "./lane_job.ts";
import type {
  BulkGrant,
  FileReport,
  FromLane,
  JobEnd,
  LaneJob,
  LaneStats,
  RootRef,
  ToLane,
} from "./lane_messages.ts";

/** A grant is not waited for longer: the session's thread has other trouble then. */
const GRANT_TIMEOUT_MS = 60_000;

/** What a {@linkcode LaneHost} works with. */
export interface LaneHostOptions {
  /** Tells the session's thread, in the order of the calls. */
  readonly post: (message: FromLane) => void;
  readonly stats: () => LaneStats;
}

/**
 * A lane from inside its thread: fetches what the session's thread gives it to fetch, and sends what that
 * thread grants, over a connection of its own. Files are read, hashed and written here. It decides
 * nothing: what a peer may have and what becomes of a file that has come is for the session's thread.
 */
export class LaneHost implements LinkHandler, Disposable {
  readonly #options: LaneHostOptions;
  readonly #joined: JoinedHandler;
  readonly #roots = new Map<string, Root>();
  readonly #jobs = new Map<number, AbortController>();
  readonly #grants = new Map<number, (grant: BulkGrant | undefined) => void>();
  readonly #finds = new Map<number, (file: ServedFile | undefined) => void>();
  #link: PeerLink | undefined;
  #next = 1;
  /** Staged files that were reported and not taken over yet. */
  #untaken = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(options: LaneHostOptions) {
    this.#options = options;
    this.#joined = new JoinedHandler({
      handleRequest: (request, stream) => this.#serve(request, stream),
    });
  }

  attach(link: PeerLink): void {
    this.#link = link;
  }

  handleMessage(message: Message): void {
    this.#joined.handleMessage(message);
  }

  async handleRequest(request: Request, stream: DuplexStream): Promise<void> {
    await this.#joined.handleRequest(request, stream);
  }

  /** Takes what the session's thread says. */
  handleToLane(message: ToLane): void {
    switch (message.type) {
      case "job":
        return void this.#run(message.id, message.job);
      case "cancel":
        return this.#jobs.get(message.id)?.abort(new LandropicError("interrupted", "Called off"));
      case "taken":
        this.#untaken -= message.count;
        if (this.#untaken < UNTAKEN_MAX) { for (const go of this.#waiting.splice(0)) go(); }
        return;
      case "grant":
        this.#grants.get(message.id)?.(message.grant);
        return void this.#grants.delete(message.id);
      case "found":
        this.#finds.get(message.id)?.(message.file);
        return void this.#finds.delete(message.id);
      case "ping":
        this.#link?.ping().then(
          () => this.#options.post({ type: "pong", id: message.id }),
          () => {},
        );
        return;
      case "close":
        return void this.#link?.close(message.code);
    }
  }

  /** Ends what runs, and lets go of folders. */
  [Symbol.dispose](): void {
    for (const stop of this.#jobs.values()) stop.abort(new Error("The lane ends"));
    for (const answer of this.#grants.values()) answer(undefined);
    for (const answer of this.#finds.values()) answer(undefined);
    for (const root of this.#roots.values()) root[Symbol.dispose]();
    this.#roots.clear();
  }

  async #run(id: number, job: LaneJob): Promise<void> {
    const stop = new AbortController();
    const port = new JobQueue(id, this.#options.post, (count) => this.#untaken += count);
    this.#jobs.set(id, stop);
    let end: JobEnd;
    try {
      end = await runJob(job, {
        root: this.#rootFor(job),
        link: this.#link!,
        signal: stop.signal,
        port: {
          report: (report) => port.report(report),
          written: (bytes) => port.written(bytes),
          chunk: (chunk, bytes) => port.chunk(chunk, bytes),
          ready: () => this.#ready(port),
        },
      });
    } catch (error) {
      end = this.#endBy(error);
    } finally {
      this.#jobs.delete(id);
    }
    port.flush();
    this.#options.post({ type: "stats", stats: this.#options.stats() });
    this.#options.post({ type: "end", id, end });
  }

  #endBy(error: unknown): JobEnd {
    const message = messageOf(error);
    if (!(error instanceof ProtocolError)) return { kind: "cut", why: message };
    void this.#link?.close(CLOSE_CODE.protocolError, error);
    return { kind: "protocol", message };
  }

  /** Something to wait for while many staged files, each with an open descriptor, are on their way. */
  #ready(port: JobQueue): Promise<void> | undefined {
    if (this.#untaken + port.pending < UNTAKEN_MAX) return undefined;
    port.flush();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  async #serve(request: BulkRequest, stream: DuplexStream): Promise<void> {
    try {
      await this.#answer(request, stream);
    } finally {
      this.#options.post({ type: "answered" });
    }
  }

  async #answer(request: BulkRequest, stream: DuplexStream): Promise<void> {
    const grant = await this.#grantFor(request);
    if (grant === undefined) throw new Error("The session is over");
    const files = new Map<string, ServedFile | undefined>();
    const asked = request.kind === "get-files" ? request.files : [request];
    asked.forEach(({ path }, i) => files.set(path, grant.files[i]));
    const { session } = request;
    let bytes = 0;
    let paths: RelPath[] = [];
    const tell = () => {
      if (bytes === 0 && paths.length === 0) return;
      this.#options.post({ type: "stats", stats: this.#options.stats() });
      this.#options.post({ type: "served", session, bytes, paths });
      bytes = 0;
      paths = [];
    };
    const find = (path: RelPath) => files.get(path);
    setBulkPriority(stream.send, request, find);
    const server = new FileServer({
      root: this.#root(grant.root),
      find,
      findAgain: async (path) => {
        const file = await this.#find(session, path);
        files.set(path, file);
        return file;
      },
      onBytes: (count) => {
        bytes += count;
        if (bytes >= TELL_BYTES) tell();
      },
      onFile: (path) => void paths.push(path),
    });
    const out = new BlockWriter((piece) => stream.send.write(piece), { compress: grant.compress });
    try {
      if (request.kind === "get-files") await server.sendFiles(request, out);
      else await server.sendRanges(request, out);
      await out.finish();
    } finally {
      tell();
    }
    await stream.send.finish();
  }

  #grantFor(request: BulkRequest): Promise<BulkGrant | undefined> {
    const id = this.#next++;
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(undefined), GRANT_TIMEOUT_MS);
      this.#grants.set(id, (grant) => {
        clearTimeout(timer);
        resolve(grant);
      });
      this.#options.post({ type: "ask", id, request });
    });
  }

  #find(session: number, path: RelPath): Promise<ServedFile | undefined> {
    const id = this.#next++;
    return new Promise((resolve) => {
      this.#finds.set(id, resolve);
      this.#options.post({ type: "find", id, session, path });
    });
  }

  #rootFor(job: LaneJob): Root {
    try {
      return this.#root(job.root);
    } catch (error) {
      if ("target" in job) discardHanded(job.target);
      throw error;
    }
  }

  /** The folder, opened once; another one that is there by now is refused. */
  #root({ path, dev, ino }: RootRef): Root {
    const key = `${dev} ${ino} ${path}`;
    const known = this.#roots.get(key);
    if (known !== undefined) return known;
    const root = openRoot(path);
    if (root.stat.dev !== dev || root.stat.ino !== ino) {
      root[Symbol.dispose]();
      throw new Error("The folder is another one by now");
    }
    this.#roots.set(key, root);
    return root;
  }
}

/** What a job has to tell, several things in one message. */
class JobQueue implements Omit<JobPort, "ready"> {
  readonly #id: number;
  readonly #post: (message: FromLane) => void;
  readonly #onReported: (count: number) => void;
  #reports: FileReport[] = [];
  #chunks: number[] = [];
  #bytes = 0;
  #writtenBytes = 0;
  #told = 0;

  constructor(id: number, post: (message: FromLane) => void, onReported: (count: number) => void) {
    this.#id = id;
    this.#post = post;
    this.#onReported = onReported;
  }

  /** Staged files that were not reported yet. */
  get pending(): number {
    return this.#reports.length;
  }

  report(report: FileReport): void {
    this.#reports.push(report);
    if (this.#reports.length >= REPORTS_AT_ONCE) this.flush();
  }

  written(bytes: number): void {
    this.#writtenBytes = bytes;
    if (bytes - this.#told >= TELL_BYTES) this.flush();
  }

  chunk(chunk: number | undefined, bytes: number): void {
    if (chunk !== undefined) this.#chunks.push(chunk);
    this.#bytes += bytes;
    if (this.#bytes >= TELL_BYTES) this.flush();
  }

  flush(): void {
    const id = this.#id;
    if (this.#reports.length > 0) {
      this.#onReported(this.#reports.length);
      this.#post({ type: "reports", id, reports: this.#reports });
      this.#reports = [];
    }
    if (this.#writtenBytes > this.#told) {
      this.#told = this.#writtenBytes;
      this.#post({ type: "written", id, bytes: this.#told });
    }
    if (this.#bytes > 0 || this.#chunks.length > 0) {
      this.#post({ type: "chunks", id, bytes: this.#bytes, chunks: this.#chunks });
      this.#bytes = 0;
      this.#chunks = [];
    }
  }
}

/** Staged files, each with a descriptor, that a lane has given away and nobody has taken yet. */
const UNTAKEN_MAX = 96;
/** Files reported in one message. */
const REPORTS_AT_ONCE = 32;
/** Progress is told this often. */
const TELL_BYTES = 1024 * 1024;
