import type { QuicBinding } from "./binding.ts";

/**
 * What `process.dlopen()` ends in. To load `node:process` and all that it needs takes 40 ms of a start; where
 * the runtime has this no more, that is the way.
 */
type OpenAddon = (
  path: string,
  global: typeof globalThis,
  makeBuffer: (memory: ArrayBuffer, offset: number, length: number) => Uint8Array,
  report: (error: unknown) => void,
  ...asyncHooks: (() => void)[]
) => unknown;

interface Internals {
  readonly core?: { readonly ops?: { readonly op_napi_open?: OpenAddon } };
}

/**
 * Loads the native core.
 *
 * @param path Absolute.
 * @throws The runtime's error: there is no such file, or the system's C library is too old for it.
 */
export function loadAddon(path: string): QuicBinding {
  const open = internals()?.core?.ops?.op_napi_open;
  if (open !== undefined) {
    try {
      const makeBuffer = (memory: ArrayBuffer, offset: number, length: number) =>
        new Uint8Array(memory, offset, length);
      const hooks = [ignore, ignore, ignore, ignore] as const;
      return open(path, globalThis, makeBuffer, reportError, ...hooks) as QuicBinding;
    } catch {
      // Said again, better, below.
    }
  }
  const module = { exports: {} };
  (process as unknown as Loader).dlopen(module, path);
  return module.exports as QuicBinding;
}

/** For each of the four hooks that `node:async_hooks` has: nobody listens. */
const ignore = () => {};

interface Loader {
  dlopen(module: { exports: unknown }, path: string): void;
}

function internals(): Internals | undefined {
  const runtime = Deno as unknown as { readonly internal?: symbol };
  const { internal } = runtime;
  return internal && (runtime as unknown as Record<symbol, Internals | undefined>)[internal];
}
