/** Gives the modules of a bundle names that say what they are and stay the same from build to build. */

/** What `nameModules()` starts from. */
export interface NamingOptions {
  /** The bundler's files to start from. */
  readonly entries: readonly string[];
  /** Names, without ending, that other files will have. */
  readonly reserved: readonly string[];
}

/**
 * Renames the bundler's modules from `name-HASH.js` to `name.mjs`, numbered where several have one name,
 * and their imports of one another.
 *
 * The bundler's hashes depend on where the checkout lies; the numbers are given in the order in which
 * the modules are reached from the entries. `.mjs`, because Deno decides what `.js` is by the
 * package.json of any parent folder.
 *
 * @param modules Texts by file name; imports are written `"./FILE"`.
 * @throws {Error} if an entry is missing or a module is not reached from one.
 */
export function nameModules(
  modules: ReadonlyMap<string, string>,
  { entries, reserved }: NamingOptions,
): Map<string, string> {
  const missing = entries.find((file) => !modules.has(file));
  if (missing !== undefined) throw new Error(`the bundler made no ${missing}`);
  const names = new Map<string, string>();
  const taken = new Set(reserved);
  const pending = [...entries];
  for (let file; (file = pending.shift()) !== undefined;) {
    if (names.has(file) || !modules.has(file)) continue;
    names.set(file, freeName(file, taken));
    for (const [, , imported] of modules.get(file)!.matchAll(IMPORT)) pending.push(imported!);
  }
  const unreached = [...modules.keys()].find((file) => !names.has(file));
  if (unreached !== undefined) throw new Error(`nothing imports ${unreached}`);
  const rename = (whole: string, quote: string, imported: string) =>
    names.has(imported) ? `${quote}./${names.get(imported)}${quote}` : whole;
  return new Map(
    [...names].map(([file, name]) => [name, modules.get(file)!.replace(IMPORT, rename)]),
  );
}

function freeName(file: string, taken: Set<string>): string {
  const base = file.replace(/(-[0-9A-Z]{8})?\.js$/, "").replaceAll(".", "_");
  let name = base;
  for (let number = 2; taken.has(name); number++) name = `${base}_${number}`;
  taken.add(name);
  return `${name}.mjs`;
}

/** An import of a module of the same bundle, as the bundler writes it. */
const IMPORT = /(["'])\.\/([\w.-]+\.js)\1/g;
