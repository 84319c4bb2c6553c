/**
 * What travels between two devices, as bytes: control frames with CBOR messages, requests that open data
 * streams, and the checked blocks that answers are made of. Pure codecs: this layer never opens a socket
 * or a file, and never decides what to send.
 *
 * @module
 */
export * from "./answer.ts";
export { decodeDirHistory, type DirHistory, encodeDirHistory } from "./dir_history.ts";
export * from "./block.ts";
export * from "./cbor.ts";
export * from "./cbor_scan.ts";
export * from "./errors.ts";
export * from "./frame.ts";
export * from "./lane_ticket.ts";
export * from "./message_codec.ts";
export * from "./messages.ts";
export * from "./record.ts";
export * from "./request.ts";
