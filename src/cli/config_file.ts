/** The config file: lasting defaults for flags, in JSON. */
import { LandropicError, messageOf, UsageError } from "../base/errors.ts";
import { join } from "../base/system_path.ts";
import type { CommandSpec } from "./command_spec.ts";
import { quote, type Setting } from "./flag_values.ts";
import { GLOBAL_FLAGS } from "./global_flags.ts";
import { nearest } from "./suggest.ts";

/** The name of the config file in the config folder. */
export const CONFIG_FILE = "config.json";

/** A config file larger than this is none. */
export const CONFIG_BYTES_MAX = 1024 * 1024;

/**
 * Reads the settings that apply to one command.
 *
 * The file holds one JSON object. A key that is the name of a flag (`"listen"`) sets it for every
 * command that has it; a key that is the name of a command (`"sync"`) holds an object of settings
 * for that command alone, which win. Values are texts, numbers, true and false; for flags that may
 * be repeated also lists of texts.
 *
 * @param folder The config folder; a missing folder or file is no settings.
 * @param spec The command to run.
 * @param commands All commands, to tell settings for others from mistakes.
 * @throws {UsageError} on text that is no such JSON, and on keys no command knows.
 * @throws {LandropicError} `storage` where the file is there and cannot be read.
 */
export function readSettings(
  folder: string,
  spec: CommandSpec<unknown>,
  commands: readonly CommandSpec<unknown>[],
): ReadonlyMap<string, Setting> {
  const path = join(folder, CONFIG_FILE);
  const text = readText(path);
  return text === undefined ? new Map() : parseSettings(text, path, spec, commands);
}

/** As `readSettings`, from the text of the file. */
export function parseSettings(
  text: string,
  path: string,
  spec: CommandSpec<unknown>,
  commands: readonly CommandSpec<unknown>[],
): ReadonlyMap<string, Setting> {
  const root = parseObject(text, path);
  const settings = new Map<string, Setting>();
  const everyFlag = new Set(commands.flatMap(flagNames));
  const sections = new Map(commands.map((command) => [command.name, flagNames(command)]));
  for (const [key, value] of Object.entries(root)) {
    if (sections.has(key)) continue;
    if (!everyFlag.has(key)) throw unknownKey(key, path, [...everyFlag, ...sections.keys()]);
    settings.set(key, readSetting(value, `${quote(key)} in ${path}`));
  }
  for (const [section, known] of sections) {
    if (!Object.hasOwn(root, section)) continue;
    const values = root[section];
    if (!isObject(values)) throw new UsageError(`${quote(section)} in ${path} is not an object`);
    for (const [key, value] of Object.entries(values)) {
      if (!known.includes(key)) throw unknownKey(key, path, known, section);
      const setting = readSetting(value, `${quote(`${section}.${key}`)} in ${path}`);
      if (section === spec.name) settings.set(key, setting);
    }
  }
  return settings;
}

function flagNames(command: CommandSpec<unknown>): string[] {
  return [...command.flags, ...GLOBAL_FLAGS].map((flag) => flag.name);
}

function readText(path: string): string | undefined {
  try {
    if (Deno.statSync(path).size > CONFIG_BYTES_MAX) {
      throw new UsageError(`${path} is larger than ${CONFIG_BYTES_MAX} bytes`);
    }
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof LandropicError) throw error;
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw new LandropicError(
      "storage",
      `Cannot read ${path}: ${messageOf(error)}`,
      error instanceof Deno.errors.NotADirectory
        ? "set LANDROPIC_HOME to a folder, or to one that can be made"
        : error instanceof Deno.errors.PermissionDenied
        ? "it belongs to another user; set LANDROPIC_HOME to a folder of yours"
        : undefined,
      error,
    );
  }
}

function parseObject(text: string, path: string): Record<string, unknown> {
  let value: unknown;
  try {
    // A byte order mark is what some editors put in front.
    value = JSON.parse(text.replace(/^\ufeff/, ""));
  } catch (error) {
    throw new UsageError(`${path} is not valid JSON: ${messageOf(error)}`, undefined, error);
  }
  if (!isObject(value)) throw new UsageError(`${path} does not hold one JSON object`);
  return value;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function readSetting(value: unknown, label: string): Setting {
  const values = Array.isArray(value) ? value : [value];
  const texts = values.map((item) => {
    if (typeof item === "string" || typeof item === "number" || typeof item === "boolean") {
      return String(item);
    }
    throw new UsageError(`${label} is not a text, a number, true, false or a list of texts`);
  });
  if (texts.length === 0) throw new UsageError(`${label} is an empty list`, "leave it out");
  return { texts, label };
}

function unknownKey(key: string, path: string, known: readonly string[], section?: string) {
  const near = nearest(key.replaceAll("_", "-"), known);
  const where = section === undefined ? path : `${quote(section)} in ${path}`;
  return new UsageError(
    `unknown setting ${quote(key)} in ${where}` +
      (near === undefined ? "" : ` (did you mean ${quote(near)}?)`),
  );
}
