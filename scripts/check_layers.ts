/**
 * Checks that imports between the layers of src/ go one way, and only through each layer's mod.ts, and that no
 * module loads a built-in one that is slow to start.
 *
 * Exits with 1 and one line a wrong arrow; prints a count otherwise.
 */
const LOW = ["protocol", "index", "store", "quic", "discovery", "identity"] as const;
/** What each layer may import besides itself and `base`. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  base: [],
  ...Object.fromEntries(LOW.map((layer) => [layer, []])),
  sync: LOW,
  orchestrator: ["sync", ...LOW],
  cli: ["orchestrator", "sync", ...LOW],
};
/** Module specifiers in static, re-exporting and dynamic imports. */
const IMPORT = /(?:\bfrom\s+|\bimport\s*\(\s*|\bimport\s+|new URL\(\s*)"(\.{1,2}\/[^"]+\.ts)"/g;

/** Imports of built-in modules that are there when the program runs: not those of types. */
const BUILTIN_IMPORT = /^import (?!type )[^;]*?from "(node:[^"]+)";/gm;
/**
 * The others bring `node:process` and a hundred modules along, 40 to 60 ms of a start: `builtin()` loads them
 * when they are needed. `node:os` and `node:dgram` are for what searches the network.
 */
const LIGHT_BUILTINS = ["node:buffer", "node:dgram", "node:os", "node:timers"];

const root = new URL("../src/", import.meta.url);
const faults: string[] = [];
let arrows = 0;

for (const file of sources(root)) {
  const from = layerOf(file);
  const text = Deno.readTextFileSync(file);
  for (const [, name] of text.matchAll(BUILTIN_IMPORT)) {
    if (LIGHT_BUILTINS.includes(name!)) continue;
    faults.push(`${relative(file)}: imports ${name}: slow to start, see src/base/builtin.ts`);
  }
  for (const [, specifier] of text.matchAll(IMPORT)) {
    const target = new URL(specifier!, file);
    if (!target.href.startsWith(root.href)) continue;
    arrows++;
    const fault = faultOf(from, target);
    if (fault !== undefined) {
      faults.push(`${relative(file)}: imports ${relative(target)}: ${fault}`);
    }
  }
}

for (const fault of faults) console.error(fault);
console.log(`${arrows} imports checked, ${faults.length} against the layers`);
Deno.exit(faults.length === 0 ? 0 : 1);

function faultOf(from: string, target: URL): string | undefined {
  const to = layerOf(target);
  if (to === from) return undefined;
  if (to === "base") return from === "base" ? "base imports nothing" : undefined;
  if (!(MAY_IMPORT[from] ?? []).includes(to)) return `${from} may not import ${to}`;
  // Type-only doors and lazily loaded parts are doors of their own.
  if (!target.pathname.endsWith("/mod.ts")) return "not through mod.ts";
  return undefined;
}

function layerOf(file: URL): string {
  return relative(file).split("/")[0]!;
}

function relative(file: URL): string {
  return file.href.slice(root.href.length);
}

function* sources(folder: URL): Generator<URL> {
  for (const entry of Deno.readDirSync(folder)) {
    if (entry.isDirectory) yield* sources(new URL(entry.name + "/", folder));
    else if (entry.name.endsWith(".ts")) yield new URL(entry.name, folder);
  }
}
