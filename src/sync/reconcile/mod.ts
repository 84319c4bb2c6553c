/**
 * What is to be done on both sides of a session, decided by one of them from what each side has and what
 * both had last: a pure core without files, sockets or clocks. Owns verdicts, conflicts, moves, the order of
 * operations and the next ancestor. It never carries anything out and never asks a person.
 *
 * @module
 */
export * from "./conflict_name.ts";
export * from "./content_digest.ts";
export type { SkipReason } from "./node.ts";
export { PageView } from "./page_view.ts";
export * from "./plan.ts";
export { type Phase, PHASES, type Position } from "./plan_builder.ts";
export { type DigestQuestion, QUESTIONS_AT_ONCE } from "./questions.ts";
export * from "./reconcile_error.ts";
export * from "./reconciler.ts";
export type { Problem } from "./refusal.ts";
export type { Settlement, Stamp } from "./settlement.ts";
export * from "./side.ts";
export * from "./tree_view.ts";
