import { messageOf } from "../../base/errors.ts";
import { ProtocolError } from "../../protocol/mod.ts";
import { ChunkSlice, encodeRecipe, type Root } from "../../store/mod.ts";
import { ChunkSink } from "../delta/chunk_sink.ts";
import { StagingSink } from "../delta/staging_sink.ts";
import { WholeSink } from "../delta/whole_sink.ts";
import type { Requester } from "../link/requester.ts";
import { URGENCY } from "../link/transport.ts";
import { RemoteShare } from "../transfer/remote_share.ts";
import { encodeFailure } from "./lane_failure.ts";
import type {
  FileReport,
  FilesJob,
  JobEnd,
  LaneJob,
  RangesJob,
  WholeJob,
} from "./lane_messages.ts";

/** What a job tells on its way. */
export interface JobPort {
  /** A file of a {@linkcode FilesJob} is staged, or will not come. */
  report(report: FileReport): void;
  /** So many bytes of a {@linkcode WholeJob} are written, from the front. */
  written(bytes: number): void;
  /** Bytes of a {@linkcode RangesJob} came, and perhaps with them the end of a chunk that is written. */
  chunk(chunk: number | undefined, bytes: number): void;
  /** Something to wait for before the next file is staged, where too many wait to be taken. */
  ready(): Promise<void> | undefined;
}

/** What a job works with. */
export interface JobContext {
  readonly root: Root;
  readonly link: Requester;
  readonly signal: AbortSignal;
  readonly port: JobPort;
}

/**
 * Fetches what a job names, over this thread's connection.
 *
 * @throws {ProtocolError} if the peer breaks the protocol. Whatever else is thrown cuts the job off: what
 * has not been told of has not come.
 */
export function runJob(job: LaneJob, context: JobContext): Promise<JobEnd> {
  switch (job.kind) {
    case "files":
      return getFiles(job, context);
    case "whole":
      return getWhole(job, context);
    case "ranges":
      return getRanges(job, context);
  }
}

async function getFiles(job: FilesJob, { root, link, signal, port }: JobContext): Promise<JobEnd> {
  const { session, files } = job;
  const came = new Float64Array(files.length);
  using sink = new StagingSink(files.map(({ size }) => size), {
    open: (index) => root.stage(files[index]!.mode),
    onBytes: (index, bytes) => {
      signal.throwIfAborted();
      came[index]! += bytes;
    },
    onStaged: (index, staged, recipe) => {
      const file = root.handOver(staged);
      if (file === undefined) {
        staged[Symbol.dispose]();
        throw new Error("Files of this folder do not cross threads");
      }
      port.report({ index, bytes: came[index]!, file, recipe: encodeRecipe(recipe) });
      return port.ready();
    },
    onFailed: (index, error) => {
      const failure = encodeFailure(error);
      if (failure === undefined) throw error;
      port.report({ index, bytes: came[index]!, failure });
    },
  });
  const wanted = files.map(({ path, size, mtimeMs }) => ({ path, offset: 0, size, mtimeMs }));
  await new RemoteShare(link, session, signal).getFiles(wanted, sink, URGENCY.smallFiles);
  return { kind: "done" };
}

async function getWhole(job: WholeJob, { root, link, signal, port }: JobContext): Promise<JobEnd> {
  const { session, file, target, front } = job;
  using staged = root.takeOver(target);
  const sink = new WholeSink(staged, file.size, {
    chunks: front.chunks,
    onBytes: () => {
      signal.throwIfAborted();
      port.written(sink.offset);
    },
  });
  try {
    await sink.readBack(front.bytes, signal);
    const wanted = [{ ...file, offset: sink.offset }];
    await new RemoteShare(link, session, signal).getFiles(wanted, sink, URGENCY.largeFiles);
  } catch (error) {
    if (error instanceof ProtocolError || encodeFailure(error)) return failed(error);
    const chunks = sink.chunksSoFar();
    return { kind: "cut", why: messageOf(error), front: { bytes: sink.offset, chunks } };
  } finally {
    port.written(sink.offset);
  }
  if (sink.failure !== undefined) return { kind: "status", status: sink.failure };
  return { kind: "whole", recipe: encodeRecipe(sink.finish()) };
}

async function getRanges(
  job: RangesJob,
  { root, link, signal, port }: JobContext,
): Promise<JobEnd> {
  const { session, file, target, ranges, runs, chunks, chunkBytesMax } = job;
  using staged = root.takeOver(target);
  const sink = new ChunkSink(new ChunkSlice(chunks, runs, chunkBytesMax), runs, {
    onBytes: (bytes) => {
      signal.throwIfAborted();
      port.chunk(undefined, bytes);
    },
    onChunk: (chunk, offset, bytes) => {
      staged.writeAt(bytes, offset);
      port.chunk(chunk, 0);
    },
  });
  try {
    const wanted = { ...file, offset: 0 };
    await new RemoteShare(link, session, signal).getRanges(wanted, ranges, sink);
  } catch (error) {
    return failed(error);
  }
  if (sink.failure !== undefined) return { kind: "status", status: sink.failure };
  return { kind: "ranges", missing: sink.missing };
}

/** A staged file that can't be written is the file's end, not the lane's. */
function failed(error: unknown): JobEnd {
  const failure = encodeFailure(error);
  if (failure === undefined) throw error;
  return { kind: "failure", failure };
}
