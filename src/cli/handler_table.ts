import type { HandlerTable } from "./handlers.ts";

/** The handlers of this build, each in a module of its own that is loaded when it is called. */
export const HANDLERS: HandlerTable = {
  completions: async () => (await import("./run_completions.ts")).runCompletions,
};
