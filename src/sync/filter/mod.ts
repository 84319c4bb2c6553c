/**
 * Which paths of a share are left alone: git's ignore rules, from the command line and from ignore files
 * at any level of the tree. Owns the matching alone: it reads no file, and never decides what becomes of
 * an ignored path (it is never touched, and never counts as absent: src/sync/reconcile).
 *
 * The matcher is our own since it has to agree with git in every case: the `ignore` package matches
 * UTF-16 units where git matches bytes (`?` against "é"), and differs on stars beside stars.
 *
 * @module
 */
export * from "./filter_stack.ts";
export * from "./ignore_rule.ts";
export * from "./path_filter.ts";
