import type { PageRows } from "../../base/page_rows.ts";
import { decodePage, type Entry } from "../../base/tree.ts";
import type { DirView, ViewRows } from "./tree_view.ts";

/** What a {@linkcode PageView} is made from. */
export interface PageViewInit extends Omit<DirView, "entries" | "rows" | "versions"> {
  readonly rows: PageRows;
  /** What the entry of a row has seen; left out where nothing is known of any. */
  readonly versionAt?: ViewRows["versionAt"];
  /** All entries, if somebody may have them already. */
  readonly list?: () => readonly Entry[];
}

/** A directory by the rows of its page: objects are made only of what is looked at. */
export class PageView implements DirView {
  readonly opaque: ReadonlySet<string>;
  readonly isIncomplete: boolean;
  readonly mtimeMs: number | undefined;
  readonly tombstones: DirView["tombstones"];
  readonly rows: ViewRows;
  readonly #list: () => readonly Entry[];
  #entries: readonly Entry[] | undefined;

  constructor({ rows, versionAt, list, opaque, isIncomplete, mtimeMs, tombstones }: PageViewInit) {
    this.opaque = opaque;
    this.isIncomplete = isIncomplete;
    this.mtimeMs = mtimeMs;
    this.tombstones = tombstones;
    this.rows = { page: rows, versionAt };
    this.#list = list ?? (() => decodePage(rows.page));
  }

  get entries(): readonly Entry[] {
    return this.#entries ??= this.#list();
  }

  get versions(): DirView["versions"] {
    const { page, versionAt } = this.rows;
    return versionAt && {
      get(name) {
        const row = page.find(name);
        return row < 0 ? undefined : versionAt(row);
      },
    };
  }
}
