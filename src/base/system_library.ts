/** Functions of a library of the system, which take time to make ready. */

type Functions<Symbols extends Deno.ForeignLibraryInterface> = Deno.DynamicLibrary<
  Symbols
>["symbols"];

/**
 * Opens a library of the system. The runtime compiles a bridge to each function, 0.2 ms each, so most are
 * made ready, all at once, when one of them is first looked up.
 *
 * @param first The functions that any run uses, made ready now. What tells the error number of a call must
 * be among them: to open a library between the two would overwrite it.
 * @throws if there is no such library, or it lacks one of `first`; a look-up throws if it lacks another.
 */
export function openSystemLibrary<Symbols extends Deno.ForeignLibraryInterface>(
  path: string,
  symbols: Symbols,
  first: readonly (keyof Symbols & string)[],
): Functions<Symbols> {
  const isFirst = (name: string) => (first as readonly string[]).includes(name);
  const open = (wanted: (name: string) => boolean) => {
    const some = Object.entries(symbols).filter(([name]) => wanted(name));
    return Deno.dlopen(path, Object.fromEntries(some)).symbols as Record<string, unknown>;
  };
  // Properties of its own hide those of the prototype, and are as fast as any.
  const functions = Object.create({}) as Record<string, unknown>;
  Object.assign(functions, open(isFirst));
  for (const name of Object.keys(symbols)) {
    if (isFirst(name)) continue;
    Object.defineProperty(Object.getPrototypeOf(functions), name, {
      get() {
        for (const [each, value] of Object.entries(open((other) => !isFirst(other)))) {
          Object.defineProperty(functions, each, { value, enumerable: true });
        }
        return functions[name];
      },
    });
  }
  return functions as Functions<Symbols>;
}
