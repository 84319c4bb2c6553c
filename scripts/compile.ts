/**
 * Builds the executable: `deno task compile [--target NAME|all] [--out FILE]`.
 *
 * Makes `dist/landropic` for this platform; `--target` makes `dist/landropic-NAME` for a named one. Needs
 * nothing but the npm registry, and the same commit gives the same bytes.
 */
import { createHash } from "node:crypto";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { buildExecutables } from "./packaging/build.ts";
import { hostTarget, type Target, TARGETS } from "./packaging/target.ts";

const root = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "");

try {
  const { targets, out } = readArguments();
  for await (const { target, bytes } of buildExecutables(root, targets)) {
    const path = out ?? `${root}/dist/landropic-${target.name}`;
    await writeExecutable(path, bytes);
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    console.log(`${path}  ${(bytes.length / 1e6).toFixed(1)} MB  sha256 ${sha256}`);
  }
} catch (error) {
  console.error(`compile: ${error instanceof Error ? error.message : error}`);
  Deno.exit(1);
}

function readArguments(): { targets: readonly Target[]; out?: string } {
  const names = ["all", ...TARGETS.map(({ name }) => name)].join(", ");
  const { values: { target: name, out } } = parseArgs({
    args: Deno.args,
    options: { target: { type: "string" }, out: { type: "string" } },
  });
  if (name === "all") {
    if (out !== undefined) {
      throw new Error("--out takes one executable, --target all makes several");
    }
    return { targets: TARGETS };
  }
  const target = name === undefined ? hostTarget() : TARGETS.find((one) => one.name === name);
  if (target === undefined) {
    throw new Error(`no executable for ${name ?? "here"}; --target: ${names}`);
  }
  if (out !== undefined) return { targets: [target], out: resolve(out) };
  return name === undefined
    ? { targets: [target], out: `${root}/dist/landropic` }
    : { targets: [target] };
}

/** Never leaves half an executable under its name. */
async function writeExecutable(path: string, bytes: Uint8Array): Promise<void> {
  await Deno.mkdir(dirname(path), { recursive: true });
  const temporary = `${path}.${crypto.randomUUID()}`;
  try {
    await Deno.writeFile(temporary, bytes);
    await Deno.chmod(temporary, 0o755);
    await Deno.rename(temporary, path);
  } catch (error) {
    await Deno.remove(temporary).catch(() => {});
    throw error;
  }
}
