/** The argument of `deno run` that says how the program's JavaScript runs: as measured, docs/performance.md. */
export const V8_FLAGS = "--v8-flags=" + [
  "--expose-gc",
  // MiB. With 1, many small files took a third longer.
  "--max-semi-space-size=4",
  // Per cent between two collections. By the engine's own rule it takes half as much memory again.
  "--heap-growing-percent=40",
  // The last compiler comes late, after 7 and 8 times the usual count: in a run of a second it takes a tenth
  // of the processor time and gains less. Ten times later still, a run of 10 s took a tenth longer.
  "--invocation-count-for-turbofan=20000",
  "--invocation-count-for-osr=4000",
].join(",");
