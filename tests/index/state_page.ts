import { encodePage, shapeOf } from "../../src/base/tree.ts";
import type { NamedPage } from "../../src/index/mod.ts";

/** The page that stands for a numbered state of a test. */
export function pageOfState(state: number): NamedPage {
  const page = encodePage([{ kind: "file", name: "f", mode: 0o644, size: state, mtimeMs: 0 }]);
  return { shape: shapeOf(page), page };
}
