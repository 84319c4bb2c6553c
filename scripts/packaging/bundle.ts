/**
 * Bundles the program and its workers into a few flat modules that import nothing from outside.
 *
 * Dynamic imports become modules of their own, loaded when they are reached: `--help` parses a tenth of
 * the program.
 */
import { basename, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { BuildFacts } from "./build_facts.ts";
import { denoCommand } from "./deno_command.ts";
import { nameModules } from "./module_names.ts";

/** The bundled program. */
export interface Bundle {
  /** Flat files that import one another as `./name.mjs`; `main.mjs` is the one to run. */
  readonly modules: ReadonlyMap<string, string>;
  /** Absolute paths of all files that parts of them come from. */
  readonly sources: readonly string[];
}

/**
 * Bundles `main.ts` and every `src/**\/*_worker.ts` of a checkout.
 *
 * A worker is started by the URL of its source, `new URL("./lane_worker.ts", import.meta.url)`. All
 * modules of a bundle lie in one folder, whatever folder their sources come from, so such a URL becomes
 * `./lane_worker.mjs`.
 *
 * @throws {Error} if bundling fails, a worker is never started, or a path of this machine gets in.
 */
export async function bundleProgram(root: string, facts: BuildFacts): Promise<Bundle> {
  const folder = await Deno.makeTempDir({ prefix: "landropic-build-" });
  try {
    const workers = [...findWorkers(join(root, "src"))];
    const entries = new Map([[PROGRAM, join(root, "main.ts")]]);
    for (const worker of workers) entries.set(basename(worker, ".ts"), worker);
    await runBundler(root, folder, { facts, entries });
    const { modules, sources } = await readOutput(join(folder, "out"));
    const named = nameModules(modules, {
      entries: [...entries.keys()].map((name) => `${name}.js`),
      reserved: [MAIN, ENVIRONMENT],
    });
    const finished = finish(named, workers.map((worker) => basename(worker, ".ts")));
    for (const [name, text] of finished) checkPrivate(name, text, [root, folder]);
    return { modules: finished, sources };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function* findWorkers(folder: string): Generator<string> {
  const entries = [...Deno.readDirSync(folder)].sort((a, b) => a.name < b.name ? -1 : 1);
  for (const { name, isDirectory } of entries) {
    if (isDirectory) yield* findWorkers(join(folder, name));
    else if (name.endsWith("_worker.ts")) yield join(folder, name);
  }
}

interface BundlerInput {
  readonly facts: BuildFacts;
  /** Files by the names of their bundles. */
  readonly entries: ReadonlyMap<string, string>;
}

async function runBundler(root: string, folder: string, { facts, entries }: BundlerInput) {
  const file = async (name: string, text: string) => {
    await Deno.writeTextFile(join(folder, name), text);
    return join(folder, name);
  };
  const config = JSON.parse(await Deno.readTextFile(join(root, "deno.json")));
  const imports: Record<string, string> = {
    ...config.imports,
    "#build": await file("build.ts", `export const BUILD = ${JSON.stringify(facts)};\n`),
    "#native": join(root, "src/quic/native_packed.ts"),
  };
  for (const [name, target] of Object.entries(imports)) {
    if (/^(\/|\.\.?\/)/.test(target)) imports[name] = pathToFileURL(resolve(root, target)).href;
  }
  // Entries in one folder, so that bundles lie flat wherever their sources do.
  const stubs = await Promise.all(
    [...entries].map(([name, path]) =>
      file(`${name}.ts`, `import ${JSON.stringify(pathToFileURL(path).href)};\n`)
    ),
  );
  await denoCommand([
    "bundle",
    "--quiet",
    ...["--config", join(root, "deno.json"), "--frozen"],
    ...["--import-map", await file("import_map.json", JSON.stringify({ imports }))],
    ...["--platform", "deno", "--packages", "bundle", "--code-splitting"],
    // Unminified output names the paths of this machine in comments.
    ...["--minify", "--keep-names"],
    ...["--sourcemap", "external", "--outdir", join(folder, "out")],
    ...stubs,
  ], folder);
}

async function readOutput(folder: string) {
  const modules = new Map<string, string>();
  const sources = new Set<string>();
  for await (const { name } of Deno.readDir(folder)) {
    const text = await Deno.readTextFile(join(folder, name));
    if (!name.endsWith(".map")) modules.set(name, text);
    else for (const source of JSON.parse(text).sources) sources.add(resolve(folder, source));
  }
  return { modules, sources: [...sources].sort() };
}

/** Makes the bundler's modules run without npm, and the program start in the user's environment. */
function finish(
  modules: ReadonlyMap<string, string>,
  workers: readonly string[],
): Map<string, string> {
  const started = new Set<string>();
  const finished = new Map([...modules].map(([name, text]) => {
    const linked = text.replace(WORKER_URL, (_, quote, worker) => {
      started.add(worker);
      return `${quote}./${worker}.mjs${quote}`;
    });
    return [name, (linked.includes(REQUIRE_SHIM) ? REQUIRE : "") + linked];
  }));
  const unknown = [...started].find((name) => !workers.includes(name));
  if (unknown !== undefined) throw new Error(`${unknown}.ts is started but not in src`);
  const unused = workers.find((name) => !started.has(name));
  if (unused !== undefined) throw new Error(`no module starts ${unused}.ts by its URL`);
  // Imports are evaluated in order: the environment is the user's before any other module looks at it.
  finished.set(`${ENVIRONMENT}.mjs`, RESTORE_ENVIRONMENT);
  finished.set(`${MAIN}.mjs`, `import"./${ENVIRONMENT}.mjs";import"./${PROGRAM}.mjs";\n`);
  return finished;
}

function checkPrivate(module: string, text: string, paths: readonly string[]): void {
  const home = Deno.env.get("HOME");
  for (const bad of ["npm:", "file:///", ...paths, ...(home ? [home] : [])]) {
    if (bad.length > 1 && text.includes(bad)) throw new Error(`the bundle ${module} names ${bad}`);
  }
}

const MAIN = "main";
const ENVIRONMENT = "environment";
const PROGRAM = "program";

/** The URL of a worker's source, as written: `"../quic/lane_worker.ts"`. */
const WORKER_URL = /(["'`])\.{1,2}\/(?:[\w.-]+\/)*(\w+_worker)\.ts\1/g;

/**
 * CommonJS packages call `require("node:os")`; the bundler turns that into a shim that throws unless a
 * `require` is in scope. This one knows built-in modules only, so that nothing is ever looked up in a
 * node_modules folder above the cache.
 *
 * The parser of the command line requires modules that it never uses here. Loading those that are plain
 * namespaces at their first use takes 20 ms off every start, a quarter of what `--help` takes.
 */
const REQUIRE = `import events from"node:events";` +
  `const load=name=>{const found=process.getBuiltinModule(name);if(found)return found;` +
  `throw Object.assign(new Error("not bundled: "+name),{code:"MODULE_NOT_FOUND"})};` +
  `const require=name=>/^(node:)?events$/.test(name)?events:` +
  `/^(node:)?(child_process|fs|path|process)$/.test(name)?new Proxy({},{` +
  `get:(_,key)=>load(name)[key],set:(_,key,value)=>Reflect.set(load(name),key,value),` +
  `has:(_,key)=>key in load(name)}):load(name);`;
const REQUIRE_SHIM = "Dynamic require of";

/** Undoes what stub.sh does to the environment for the sake of the runtime alone. */
const RESTORE_ENVIRONMENT = `const env=Deno.env,home=env.get("LANDROPIC_CALLER_HOME");` +
  `home===undefined?env.delete("HOME"):env.set("HOME",home);` +
  `for(const name of["LANDROPIC_CALLER_HOME","DENO_DIR","DENO_NO_UPDATE_CHECK","DENO_NO_PROMPT"])` +
  `env.delete(name);\n`;
