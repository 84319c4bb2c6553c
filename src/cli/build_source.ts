/** `#build` when run from sources; scripts/compile.ts writes another for each packed build. */
import manifest from "../../deno.json" with { type: "json" };
import type { BuildInfo } from "./version.ts";

export const BUILD: BuildInfo = { version: manifest.version, commit: undefined };
