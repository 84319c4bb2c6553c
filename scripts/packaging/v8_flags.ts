/** The argument of `deno run` that says how the program's JavaScript runs: as measured, docs/performance.md. */
export const V8_FLAGS = "--v8-flags=" + [
  "--expose-gc",
  // MiB. With 1, many small files took a third longer.
  "--max-semi-space-size=4",
  // Per cent between two collections. By the engine's own rule it takes half as much memory again.
  "--heap-growing-percent=40",
  // The last compiler comes late, after 67 and 80 times the usual count: in a run of a second it takes a tenth
  // of the processor time and gains less, and in a long one it is soon there all the same.
  "--invocation-count-for-turbofan=200000",
  "--invocation-count-for-osr=40000",
].join(",");
