import { join } from "node:path";
import { V8_FLAGS } from "../../scripts/packaging/v8_flags.ts";
import { systemClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/log.ts";
import { type DeviceIdentity, loadOrCreateIdentity, TrustStore } from "../../src/identity/mod.ts";

const MAIN = new URL("../../main.ts", import.meta.url).pathname;
const LISTENING_TIMEOUT_MS = 20_000;

/** What one command printed and how it ended. */
export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** The JSON events on stdout, where the command ran with `--json`. */
  readonly events: Record<string, unknown>[];
}

/** What a test changes about a process. */
export interface ProcessOptions {
  /** Its whole standard input; empty if left out. */
  readonly stdin?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** A module that takes the place of `main.ts`, for processes that have to die at some point. */
  readonly main?: string;
}

/** One device as its user sees it: a state folder, and commands run in processes of their own. */
export class CliDevice {
  /** @param within What runs its commands, such as `nsenter` with a namespace. */
  constructor(
    readonly name: string,
    readonly home: string,
    readonly within: readonly string[] = [],
  ) {}

  /** The command line that starts the program: the executable under test, or the sources. */
  static program(main?: string): string[] {
    const executable = Deno.env.get("LANDROPIC_EXE");
    if (executable !== undefined && main === undefined) return [executable];
    return [
      Deno.execPath(),
      "run",
      "-A",
      "--quiet",
      V8_FLAGS,
      main ?? MAIN,
    ];
  }

  /** Runs one command to its end, without a terminal. */
  async run(...args: string[]): Promise<CommandResult> {
    return await this.runWith({}, ...args);
  }

  /** As {@linkcode run}, with standard input or environment variables. */
  async runWith(options: ProcessOptions, ...args: string[]): Promise<CommandResult> {
    const child = this.spawn(args, options);
    const { code, stdout, stderr } = await child.output();
    const decoder = new TextDecoder();
    return resultOf(code, decoder.decode(stdout), decoder.decode(stderr));
  }

  /** As {@linkcode run}; throws with everything printed if the command fails. */
  async succeed(...args: string[]): Promise<CommandResult> {
    const result = await this.run(...args);
    if (result.code !== 0) {
      throw new Error(
        `landropic ${args.join(" ")} ended with ${result.code}\n${result.stdout}${result.stderr}`,
      );
    }
    return result;
  }

  /** This device's id. The first call makes the device, as its first command would. */
  async id(): Promise<string> {
    return (await this.#identity()).id;
  }

  /**
   * Trusts another device as `peers trust` does, in this process: tests that are about something else need
   * no commands for it.
   */
  async trust(other: CliDevice, alias: string, address?: string): Promise<void> {
    await this.#identity();
    const { fingerprint } = await other.#identity();
    const store = await TrustStore.open(this.#options);
    await store.trust({
      fingerprint,
      method: "id",
      alias,
      ...(address !== undefined && { address }),
    });
  }

  /** Starts `serve` on a free loopback port and waits until it listens. */
  async serve(...args: string[]): Promise<ServingDevice> {
    return await this.serveWith({}, ...args);
  }

  /** As {@linkcode serve}, in a process of another kind. */
  async serveWith(options: ProcessOptions, ...args: string[]): Promise<ServingDevice> {
    const child = this.spawn([
      "serve",
      ...args,
      "--listen",
      "127.0.0.1:0",
      "--no-discovery",
      "--json",
    ], options);
    const serving = new ServingDevice(child);
    await serving.listening(LISTENING_TIMEOUT_MS);
    return serving;
  }

  /** Starts a command and leaves it to the caller. */
  spawn(args: string[], options: ProcessOptions = {}): Deno.ChildProcess {
    const { stdin = "", env = {}, main } = options;
    const [program, ...before] = [...this.within, ...CliDevice.program(main)];
    const child = new Deno.Command(program!, {
      args: [...before, ...args],
      env: {
        LANDROPIC_HOME: this.home,
        NO_COLOR: "1",
        // Tests keep to loopback: nothing is to be sent on a real network.
        LANDROPIC_NO_DISCOVERY: "1",
        ...env,
      },
      stdin: stdin === "" ? "null" : "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    if (stdin !== "") void new Blob([stdin]).stream().pipeTo(child.stdin).catch(() => {});
    return child;
  }

  /** Starts a command that tells events, such as `pair`, and goes on beside it. */
  start(args: string[], options: ProcessOptions = {}): ServingDevice {
    return new ServingDevice(this.spawn([...args, "--json"], options));
  }

  get #options() {
    return { folder: this.home, clock: systemClock, logger: silentLogger };
  }

  #identity(): Promise<DeviceIdentity> {
    return loadOrCreateIdentity(this.#options);
  }
}

/** Makes two devices below a folder that trust each other. */
export async function trustingPair(folder: string): Promise<[CliDevice, CliDevice]> {
  const a = new CliDevice("a", join(folder, "home-a"));
  const b = new CliDevice("b", join(folder, "home-b"));
  await a.trust(b, "b");
  await b.trust(a, "a");
  return [a, b];
}

/** A `serve`, or another command with events, that runs; disposing it stops it as Ctrl-C would. */
export class ServingDevice implements AsyncDisposable {
  readonly events: Record<string, unknown>[] = [];
  readonly #child: Deno.ChildProcess;
  readonly #stderr: Promise<string>;
  readonly #ended: Promise<void>;
  #wake = Promise.withResolvers<void>();

  constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#stderr = new Response(child.stderr).text();
    this.#ended = this.#read(child.stdout);
  }

  /** `HOST:PORT` to dial. */
  get address(): string {
    const event = this.events.find(({ event }) => event === "listening")!;
    return `127.0.0.1:${event["port"]}`;
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Waits for the event that says where it listens. */
  async listening(timeoutMs: number): Promise<void> {
    await this.waitFor(({ event }) => event === "listening", timeoutMs);
  }

  /** Waits until an event was printed, now or earlier. */
  async waitFor(
    matches: (event: Record<string, unknown>) => boolean,
    timeoutMs = 20_000,
  ): Promise<Record<string, unknown>> {
    const timeout = Promise.withResolvers<never>();
    timeout.promise.catch(() => {});
    const timer = setTimeout(() => timeout.reject(new Error("event did not come")), timeoutMs);
    try {
      for (;;) {
        const event = this.events.find(matches);
        if (event !== undefined) return event;
        const ended = this.#ended.then(async () => {
          const late = this.events.find(matches);
          if (late === undefined) throw new Error(`the command ended:\n${await this.#stderr}`);
        });
        await Promise.race([this.#wake.promise, timeout.promise, ended]);
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** Waits for it to end by itself. */
  async end(): Promise<CommandResult> {
    const { code } = await this.#child.status;
    await this.#ended;
    return { code, stdout: "", stderr: await this.#stderr, events: this.events };
  }

  /** Sends a signal and waits for the end. */
  async stop(signal: Deno.Signal = "SIGINT"): Promise<CommandResult> {
    try {
      this.#child.kill(signal);
    } catch {
      // It has ended by itself.
    }
    return await this.end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #read(stdout: ReadableStream<Uint8Array>): Promise<void> {
    let rest = "";
    for await (const text of stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      for (const line of lines) this.events.push(JSON.parse(line));
      this.#wake.resolve();
      this.#wake = Promise.withResolvers<void>();
    }
  }
}

function resultOf(code: number, stdout: string, stderr: string): CommandResult {
  const lines = stdout.split("\n").filter((line) => line.startsWith("{"));
  return { code, stdout, stderr, events: lines.map((line) => JSON.parse(line)) };
}
