import type { HandlerTable } from "./handlers.ts";

/** The handlers of this build, each in a module of its own that is loaded when it is called. */
export const HANDLERS: HandlerTable = {
  bench: async () => (await import("./run_bench.ts")).runBench,
  completions: async () => (await import("./run_completions.ts")).runCompletions,
  discover: async () => (await import("./run_discover.ts")).runDiscover,
  doctor: async () => (await import("./run_doctor.ts")).runDoctor,
  id: async () => (await import("./run_id.ts")).runId,
  pair: async () => (await import("./run_pair.ts")).runPair,
  "peers list": async () => (await import("./run_peers.ts")).runPeersList,
  "peers trust": async () => (await import("./run_peers.ts")).runPeersTrust,
  "peers remove": async () => (await import("./run_peers.ts")).runPeersRemove,
  "peers rename": async () => (await import("./run_peers.ts")).runPeersRename,
  serve: async () => (await import("./run_serve.ts")).runServe,
  status: async () => (await import("./run_status.ts")).runStatus,
  sync: async () => (await import("./run_sync.ts")).runSync,
  verify: async () => (await import("./run_verify.ts")).runVerify,
};
