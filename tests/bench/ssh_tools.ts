import { join } from "node:path";
import { isInstalled, type Place, type Tool } from "./tool.ts";

/** How ssh encrypts: what it picks by itself, or what is fastest on today's processors. */
const CIPHERS = {
  "": [],
  " (AES-GCM)": ["-c", "aes128-gcm@openssh.com"],
} as const;
/** Where sshd goes without rights; it insists on the folder when it is started by root. */
const PRIVILEGE_FOLDER = "/run/sshd";
const START_TIMEOUT_MS = 5000;

/** rsync and tar through ssh, each with both ciphers. */
export const SSH_TOOLS: readonly Tool[] = Object.entries(CIPHERS).flatMap(([label, cipher]) => [
  sshTool(`rsync${label}`, "rsync", cipher, (place, ssh) => [
    "rsync",
    "-a",
    "--delete",
    "-e",
    ssh,
    `${place.source}/`,
    `bench:${place.target}/`,
  ]),
  sshTool(`tar${label}`, "tar", cipher, (place, ssh) => [
    "sh",
    "-c",
    `tar -C '${place.source}' -cf - . | ${ssh} bench tar -C '${place.target}' -xf -`,
  ]),
]);

function sshTool(
  name: string,
  program: string,
  cipher: readonly string[],
  command: (place: Place, ssh: string) => string[],
): Tool {
  return {
    name,
    obstacle() {
      const missing = [program, "ssh", "sshd", "ssh-keygen"].find((name) => !isInstalled(name));
      return Promise.resolve(missing && `${missing} is not installed`);
    },
    // tar has no memory: it would send everything again.
    suits: (_, step) => program !== "tar" || step.name === "first copy",
    async open(place) {
      const server = await SshServer.start(place);
      const ssh = ["ssh", "-F", server.clientConfig, ...cipher].join(" ");
      const [head, ...args] = place.site.client(command(place, ssh));
      return Object.assign(server, {
        command: new Deno.Command(head!, { args, stdin: "null", stdout: "piped", stderr: "piped" }),
      });
    },
  };
}

/** An sshd of our own on a free port, with throw-away keys, that lets in nobody but us. */
class SshServer implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #madeFolder: boolean;
  readonly clientConfig: string;

  static async start(place: Place): Promise<SshServer> {
    const { scratch, site, target } = place;
    Deno.mkdirSync(target, { recursive: true });
    const file = (name: string) => join(scratch, name);
    for (const name of ["host-key", "user-key"]) {
      await succeed("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file(name));
    }
    Deno.copyFileSync(file("user-key.pub"), file("authorized-keys"));
    const host = site.serverAddress;
    const port = freePort();
    Deno.writeTextFileSync(
      file("sshd-config"),
      [
        `ListenAddress ${host}:${port}`,
        `HostKey ${file("host-key")}`,
        `AuthorizedKeysFile ${file("authorized-keys")}`,
        "PidFile none",
        "UsePAM no",
        "StrictModes no",
        "PasswordAuthentication no",
        "KbdInteractiveAuthentication no",
        "PermitRootLogin prohibit-password",
        "",
      ].join("\n"),
    );
    const hostKey = Deno.readTextFileSync(file("host-key.pub"));
    Deno.writeTextFileSync(file("known-hosts"), `[${host}]:${port} ${hostKey}`);
    Deno.writeTextFileSync(
      file("ssh-config"),
      [
        "Host bench",
        `HostName ${host}`,
        `Port ${port}`,
        `IdentityFile ${file("user-key")}`,
        "IdentitiesOnly yes",
        `UserKnownHostsFile ${file("known-hosts")}`,
        "StrictHostKeyChecking yes",
        "BatchMode yes",
        "Compression no",
        "",
      ].join("\n"),
    );
    const madeFolder = Deno.uid() === 0 && tryMakeFolder(PRIVILEGE_FOLDER);
    // sshd insists on being called by its full path, since it runs itself anew for each connection.
    const sshd = ["/usr/sbin/sshd", "/usr/bin/sshd", "/usr/local/sbin/sshd"].find(isFile) ?? "sshd";
    const [program, ...args] = site.server([sshd, "-D", "-e", "-f", file("sshd-config")]);
    const child = new Deno.Command(program!, { args, stdin: "null", stderr: "null" }).spawn();
    const server = new SshServer(child, file("ssh-config"), madeFolder);
    await server.#ready(site.client(["ssh", "-F", file("ssh-config"), "bench", "true"]));
    return server;
  }

  private constructor(child: Deno.ChildProcess, clientConfig: string, madeFolder: boolean) {
    this.#child = child;
    this.clientConfig = clientConfig;
    this.#madeFolder = madeFolder;
  }

  get serverPid(): number {
    return this.#child.pid;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGTERM");
    await this.#child.status;
    if (this.#madeFolder) Deno.removeSync(PRIVILEGE_FOLDER);
  }

  async #ready([program, ...args]: string[]): Promise<void> {
    const deadlineMs = performance.now() + START_TIMEOUT_MS;
    for (;;) {
      const { success, stderr } = await new Deno.Command(program!, { args }).output();
      if (success) return;
      if (performance.now() > deadlineMs) {
        await this[Symbol.asyncDispose]();
        throw new Error(`sshd does not let us in: ${new TextDecoder().decode(stderr)}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

/** Free on this machine's loopback a moment ago, and in a fresh network namespace for sure. */
function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

function tryMakeFolder(path: string): boolean {
  try {
    Deno.mkdirSync(path, { mode: 0o755 });
    return true;
  } catch {
    return false;
  }
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

async function succeed(program: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(program, { args }).output();
  if (!success) throw new Error(`${program}: ${new TextDecoder().decode(stderr)}`);
}
