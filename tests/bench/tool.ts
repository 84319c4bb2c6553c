import type { Site } from "./site.ts";
import type { Step, Workload } from "./workloads.ts";

/** A program that can copy a folder to another machine. */
export interface Tool {
  readonly name: string;
  /** What it needs that is not here; `undefined` if it can be measured. */
  obstacle(): Promise<string | undefined>;
  /** False for what is beside the point: what always sends everything, where little changed. */
  suits(workload: Workload, step: Step): boolean;
  /** Starts the server's end. */
  open(place: Place): Promise<OpenTool>;
}

/** Folders of one series of runs. */
export interface Place {
  readonly site: Site;
  readonly source: string;
  readonly target: string;
  /** For keys, state and such. */
  readonly scratch: string;
}

/** A tool whose server's end runs; disposing it ends that. */
export interface OpenTool extends AsyncDisposable {
  /** The process at the server's end; what it starts counts with it. */
  readonly serverPid: number;
  /** The command that brings the target up to date. */
  readonly command: Deno.Command;
  /** Bytes on the wire as the tool itself reports them, from what it printed. */
  wireBytes?(stdout: string): number;
}

/** True if a program can be found by its name. */
export function isInstalled(program: string): boolean {
  const folders = (Deno.env.get("PATH") ?? "").split(Deno.build.os === "windows" ? ";" : ":");
  return [...folders, "/usr/sbin"].some((folder) => {
    try {
      return Deno.statSync(`${folder}/${program}`).isFile;
    } catch {
      return false;
    }
  });
}
