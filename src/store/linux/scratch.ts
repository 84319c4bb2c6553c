/**
 * A buffer the C library reads or fills. Outside the JavaScript heap, so that it stays where it is
 * for as long as the process runs.
 */
export function scratch(bytes: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new ArrayBuffer(bytes));
}

/** Where the bytes of a {@linkcode scratch} buffer are, which the caller keeps alive. */
export function addressOf(bytes: Uint8Array<ArrayBuffer>): number {
  return Number(Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes)));
}

const encoder = new TextEncoder();

/** Longest name or path the kernel takes in one call, without the closing NUL. */
export const KERNEL_PATH_BYTES_MAX = 4095;

/** A string for the C library, written anew for each call. */
export class CString {
  readonly bytes = scratch(KERNEL_PATH_BYTES_MAX * 3 + 1);

  /** Writes the text and its NUL. Returns false if the kernel would refuse its length. */
  set(text: string): boolean {
    const written = encoder.encodeInto(text, this.bytes).written;
    this.bytes[written] = 0;
    return written <= KERNEL_PATH_BYTES_MAX;
  }
}

/** The empty string, for calls on the descriptor itself. */
export const EMPTY = scratch(1);
