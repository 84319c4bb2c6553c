/** Modules of the runtime that not every run needs. */
interface Builtins {
  "node:crypto": typeof import("node:crypto");
  "node:dgram": typeof import("node:dgram");
  "node:dns/promises": typeof import("node:dns/promises");
  "node:fs": typeof import("node:fs");
  "node:path": typeof import("node:path");
  "node:util": typeof import("node:util");
  "node:zlib": typeof import("node:zlib");
}

/**
 * A module of the runtime that is loaded when something of it is first used: the first brings `node:process`
 * and a hundred others along, 40 ms of a start, and `node:crypto` takes another 20. A sync on Linux that finds
 * little to do needs none. A use costs 0.1 µs more than that of an import.
 */
export function builtin<Name extends keyof Builtins>(name: Name): Builtins[Name] {
  let loaded: Builtins[Name] | undefined;
  return new Proxy({} as Builtins[Name], {
    get: (_, key) => Reflect.get(loaded ??= process.getBuiltinModule(name), key),
  });
}
