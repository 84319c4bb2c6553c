import { StoreError } from "../store_error.ts";
import type { Libc } from "./libc.ts";

/**
 * The descriptor of a root's directory. Once it is closed the system may give its number to any other
 * file, so whoever comes late gets an error and no number.
 */
export class RootDescriptor implements Disposable {
  readonly #libc: Libc;
  readonly #fd: number;
  #isClosed = false;

  /** @param fd Owned from now on. */
  constructor(libc: Libc, fd: number) {
    this.#libc = libc;
    this.#fd = fd;
  }

  /** @throws {StoreError} `closed` */
  get fd(): number {
    if (this.#isClosed) throw new StoreError("closed", "Cannot use the folder");
    return this.#fd;
  }

  [Symbol.dispose](): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#libc.call.close(this.#fd);
  }
}
