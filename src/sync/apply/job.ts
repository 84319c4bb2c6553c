import type { Digest } from "../../base/digest.ts";
import type { Expected, Recipe } from "../../store/mod.ts";
import type { WantedContent } from "../delta/mod.ts";
import type { Operation, Outcome, WriteFile } from "./operation.ts";

/** One operation under way. */
export interface Job<T extends Operation = Operation> {
  readonly index: number;
  readonly operation: T;
  /** What must be at its path, of a file to be put there. */
  expected?: Expected;
  recipe?: Recipe;
  /** Learned on the way, where the operation does not have it. */
  digest?: Digest;
  bytesFetched: number;
  bytesReused: number;
  /** Called once it is known what became of the contents. */
  close?: (isDone: boolean) => void;
}

/** What is told of a job that is over; `code` and `message` are empty where it is done. */
export function outcomeOf(
  job: Job,
  result: Outcome["result"],
  code: string,
  message: string,
): Outcome {
  const { index, bytesFetched, bytesReused } = job;
  return { index, result, code, message, bytesFetched, bytesReused };
}

/** The contents that an operation puts into place. */
export function wantedOf(
  { path, source, size, mtimeMs, digest, before }: WriteFile,
): WantedContent {
  const old = before.kind === "file" ? before : undefined;
  return { path, source, size, mtimeMs, digest, old };
}

/** The operation with what was learned about the contents while they were got. */
export function withDigest({ operation, digest }: Job): Operation {
  if (operation.op !== "write-file" || digest === undefined) return operation;
  return { ...operation, digest };
}
