import type { DirPath } from "../../base/paths.ts";
import { PageRows } from "../../base/page_rows.ts";
import { EMPTY_PAGE } from "../../base/tree.ts";
import type { RootIndex } from "../../index/mod.ts";
import type { DirHistory } from "../../protocol/mod.ts";

/** What the index knows of the names of a directory, in the order of its page. */
export function historyOf(index: RootIndex, path: DirPath, page: Uint8Array): DirHistory {
  const known = index.lookInto(path);
  const rows = new PageRows(page);
  const versions = Array.from(
    { length: rows.count },
    (_, row) => known?.vectorOf(page, rows.nameStart(row), rows.nameEnd(row)),
  );
  return { versions, tombstones: known?.tombstones ?? new Map() };
}

/** The same of a directory that is gone, if all that is known of it are deletions. */
export function historyOfGone(index: RootIndex, path: DirPath): DirHistory | undefined {
  const view = index.viewDir(path);
  return view?.length === 0 && view.tombstoneCount > 0
    ? historyOf(index, path, EMPTY_PAGE)
    : undefined;
}
