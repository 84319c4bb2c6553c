/**
 * Bundles the program and its workers into a few flat modules that import nothing from outside.
 *
 * Dynamic imports become modules of their own, opened when they are reached: `--help` reads a tenth of
 * the program.
 */
import { basename, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { BuildFacts } from "./build_facts.ts";
import { denoCommand } from "./deno_command.ts";
import { nameModules } from "./module_names.ts";
import { ENVIRONMENT_TEXT, REQUIRE_TEXT } from "./preludes.ts";

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
  const importMap = await file("import_map.json", JSON.stringify({ imports }));
  const bundle = (outdir: string, ...flags: string[]) =>
    denoCommand([
      "bundle",
      "--quiet",
      ...["--config", join(root, "deno.json"), "--frozen"],
      ...["--import-map", importMap],
      ...["--platform", "deno", "--packages", "bundle", "--code-splitting"],
      ...[...flags, "--keep-names", "--outdir", join(folder, outdir)],
      ...stubs,
    ], folder);
  // Unminified output names the paths of this machine in comments.
  await bundle("out", "--minify", "--sourcemap", "external");
  await bundle("plain");
  await checkDisposals(join(folder, "plain"), join(folder, "out"));
}

/**
 * The minifier puts the value of a `using` that is looked at once, in the next statement, in the place of its
 * name, and drops the declaration with it: then nothing is ever disposed. Such a bundle is refused.
 *
 * @param plain The folder of the bundle as it was before.
 */
async function checkDisposals(plain: string, minified: string): Promise<void> {
  let written = 0;
  let kept = 0;
  for (const text of await readModules(plain)) written += countRuns(text);
  for (const text of await readModules(minified)) kept += [...text.matchAll(DISPOSAL)].length;
  if (written === kept) return;
  throw new Error(
    `the minifier dropped ${written - kept} of ${written} \`using\` declarations: write ` +
      "`const x = …; using _ = x;` where x is looked at once, in the next statement",
  );
}

/** Counts `using` declarations in what the bundler wrote; several in a row become one. */
function countRuns(text: string): number {
  let count = 0;
  /** What the declaration under way begins with, until its last line is over. */
  let open: string | undefined;
  /** The same, right behind its end. */
  let ended: string | undefined;
  for (const line of text.split("\n")) {
    if (open === undefined) {
      const start = /^ *(?:await )?using (?=[\w$]+ = )/.exec(line)?.[0];
      if (start !== undefined && start !== ended) count++;
      open = start;
      ended = undefined;
    }
    if (open === undefined || !line.endsWith(";")) continue;
    const indent = /^ */.exec(open)![0];
    if (!line.startsWith(indent) || line.startsWith(`${indent} `)) continue;
    ended = open;
    open = undefined;
  }
  return count;
}

async function readModules(folder: string): Promise<string[]> {
  const texts: string[] = [];
  for await (const { name } of Deno.readDir(folder)) {
    if (!name.endsWith(".map")) texts.push(await Deno.readTextFile(join(folder, name)));
  }
  return texts;
}

const DISPOSAL = /\busing [\w$]+=/g;

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
    const lazy = linked.replace(DYNAMIC_IMPORT, "import([$1][0])");
    return [name, (lazy.includes(REQUIRE_SHIM) ? REQUIRE_TEXT : "") + lazy];
  }));
  const unknown = [...started].find((name) => !workers.includes(name));
  if (unknown !== undefined) throw new Error(`${unknown}.ts is started but not in src`);
  const unused = workers.find((name) => !started.has(name));
  if (unused !== undefined) throw new Error(`no module starts ${unused}.ts by its URL`);
  // Imports are evaluated in order: the environment is the user's before any other module looks at it.
  finished.set(`${ENVIRONMENT}.mjs`, ENVIRONMENT_TEXT);
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
 * A dynamic import of a module of the bundle. The runtime reads every module that an import names in a
 * literal before the program starts, also those that are never reached; it can't see through anything else.
 */
const DYNAMIC_IMPORT = /\bimport\(("\.\/\w+\.mjs")\)/g;

/** What the bundler puts in place of the `require` of CommonJS packages, unless one is in scope. */
const REQUIRE_SHIM = "Dynamic require of";
