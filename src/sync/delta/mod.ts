/**
 * Contents that need not travel, or not all of it: files that the share holds already under another
 * name, chunks of files that it holds, and what an interrupted run left behind.
 *
 * Owns how one file's contents come about from what is at hand and what the peer has, up to a complete
 * and checked staged file. It never decides which files are to change, never gives a file its name, and
 * never answers a peer.
 *
 * @module
 */
export { AtHand } from "./at_hand.ts";
export { ContentError, type ContentReason } from "./content_error.ts";
export * from "./content_getter.ts";
export { StagingSink } from "./staging_sink.ts";
export type { ContentSource, GotContent, Traffic, WantedContent } from "./wanted.ts";
