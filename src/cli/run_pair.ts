import type { PairedPeer } from "../orchestrator/pairing/mod.ts";
import type { PairCommand } from "./commands/pair.ts";
import type { CliContext } from "./handlers.ts";
import { hostOf } from "./run_peers.ts";
import { rfc3339 } from "./units.ts";
import { PORT_DEFAULT } from "./values/host_port.ts";
import { withOrchestrator } from "./with_orchestrator.ts";

/** Shows a code and waits for the other device, or joins the one that shows it. */
export async function runPair(command: PairCommand, context: CliContext): Promise<void> {
  const paired = command.secret === undefined
    ? await show(command, context)
    : await join(command, command.secret, context);
  const { reporter, logger } = context;
  reporter.emit({
    event: "paired",
    id: paired.entry.id,
    name: paired.entry.alias,
    address: paired.address,
  });
  if (paired.takenName !== undefined) {
    logger.log("warn", `another peer is called "${paired.takenName}" already`);
  }
  if (!paired.isConfirmed) {
    logger.log("warn", "the other device did not say that it is done: if it is not, pair again");
  }
}

async function show(command: PairCommand, context: CliContext): Promise<PairedPeer> {
  const { reporter, logger, terminal, signal } = context;
  const { hostPairing } = await import("../orchestrator/pairing/mod.ts");
  const { renderQr } = await import("../identity/pairing/mod.ts");
  return await withOrchestrator(context, async (orchestrator) => {
    const drawing: { qr: Promise<void> } = { qr: Promise.resolve() };
    const paired = await hostPairing(orchestrator, {
      listen: command.listen && hostOf(command.listen),
      servePort: PORT_DEFAULT,
      timeoutMs: command.timeoutMs,
      alias: command.name,
      signal,
      onShown: ({ code, invitation, expiresAtMs, listening }) => {
        reporter.emit({
          event: "pairing",
          code: code.reveal(),
          invitation: invitation.reveal(),
          expires: rfc3339(expiresAtMs),
          port: listening.port,
        });
        if (!command.qr || !terminal.stdout) return;
        drawing.qr = renderQr(invitation.reveal(), { color: terminal.color })
          .then((drawn) => reporter.print(drawn));
      },
      onAttemptFailed: ({ error, attemptsLeft }) => {
        logger.log("warn", `somebody tried in vain: ${error.message}`, { attemptsLeft });
      },
    });
    await drawing.qr;
    return paired;
  }, { discovery: command.discovery });
}

async function join(
  command: PairCommand,
  secret: NonNullable<PairCommand["secret"]>,
  context: CliContext,
): Promise<PairedPeer> {
  const { joinPairing, readTicket } = await import("../orchestrator/pairing/mod.ts");
  const text = secret.kind === "code" ? secret.code : secret.invitation;
  const ticket = readTicket(text.reveal(), context.clock.wallMs());
  return await withOrchestrator(context, async (orchestrator) => {
    context.reporter.note(
      secret.kind === "code"
        ? `looking for the device that shows ${ticket}`
        : "looking for the device that made the invitation",
    );
    return await joinPairing(orchestrator, {
      ticket,
      address: command.address && hostOf(command.address),
      servePort: PORT_DEFAULT,
      timeoutMs: command.timeoutMs,
      alias: command.name,
      signal: context.signal,
    });
  }, { discovery: command.discovery });
}
