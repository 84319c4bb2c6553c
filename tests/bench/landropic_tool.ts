import { join } from "node:path";
import { CliDevice, trustingPair } from "../support/cli_device.ts";
import type { OpenTool, Place, Tool } from "./tool.ts";

/** landropic itself: `serve` runs already, `sync --push` is measured from the start of its process. */
export const landropic: Tool = {
  name: "landropic",
  obstacle: () => Promise.resolve(undefined),
  suits: () => true,
  async open(place): Promise<OpenTool> {
    const [client, server] = await trustingPair(place.scratch);
    return await LandropicRun.start(place, client, server);
  },
};

class LandropicRun implements OpenTool {
  readonly #server: Deno.ChildProcess;
  readonly command: Deno.Command;

  static async start(place: Place, client: CliDevice, server: CliDevice): Promise<LandropicRun> {
    const host = place.site.serverAddress;
    Deno.mkdirSync(place.target, { recursive: true });
    const args = ["serve", place.target, "--listen", `${host}:0`, "--no-discovery", "--json"];
    const log = join(place.scratch, "serve.log");
    const program = place.site.server([...CliDevice.program(), ...args]);
    const child = commandOf(program, server.home, log).spawn();
    const port = await readPort(child.stdout);
    const sync = ["sync", "b", place.source, "--push", "--delete", "--json"];
    const address = ["--address", `${host}:${port}`];
    const command = place.site.client([...CliDevice.program(), ...sync, ...address]);
    return new LandropicRun(child, commandOf(command, client.home));
  }

  private constructor(server: Deno.ChildProcess, command: Deno.Command) {
    this.#server = server;
    this.command = command;
  }

  get serverPid(): number {
    return this.#server.pid;
  }

  /** Payloads of UDP alone. */
  wireBytes(stdout: string): number {
    const summary = JSON.parse(stdout.trimEnd().split("\n").at(-1)!);
    return summary.wireSent + summary.wireReceived;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.kill("SIGTERM");
    await this.#server.status;
  }
}

function commandOf(program: string[], home: string, log?: string): Deno.Command {
  const env = { LANDROPIC_HOME: home, NO_COLOR: "1" };
  return new Deno.Command(program[0]!, {
    args: program.slice(1),
    env,
    stdin: "null",
    stdout: "piped",
    stderr: log === undefined ? "piped" : "null",
  });
}

/** Reads the port from the first line; the rest is read and dropped, or the server would stand still. */
async function readPort(stdout: ReadableStream<Uint8Array>): Promise<number> {
  const port = Promise.withResolvers<number>();
  void (async () => {
    let text = "";
    let isKnown = false;
    for await (const part of stdout.pipeThrough(new TextDecoderStream())) {
      if (isKnown) continue;
      text += part;
      const line = text.split("\n").find((line) => line.includes('"listening"'));
      if (line === undefined || !text.includes("\n")) continue;
      isKnown = true;
      port.resolve(JSON.parse(line).port);
    }
    port.reject(new Error(`landropic serve ended: ${text}`));
  })().catch(port.reject);
  return await port.promise;
}
