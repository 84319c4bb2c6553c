import type { CliEvent, SummaryEvent } from "./events.ts";
import type { Failure } from "./failure.ts";
import type { Reporter } from "./reporter.ts";

/** Says with every event which peer it is about, where a command deals with several. */
export class PeerReporter implements Reporter {
  constructor(readonly reporter: Reporter, readonly peer: string) {}

  emit(event: CliEvent, run?: string): void {
    this.reporter.emit({ ...event, peer: this.peer } as CliEvent, run);
  }

  note(text: string): void {
    this.reporter.note(`${this.peer}: ${text}`);
  }

  print(text: string): void {
    this.reporter.print(text);
  }

  handleUnfinished(done: SummaryEvent): void {
    this.reporter.handleUnfinished({ ...done, peer: this.peer });
  }

  /** As an event: the command goes on. */
  fail({ code, message, hint }: Failure): void {
    this.emit({ event: "error", code, message, hint: hint ?? null });
  }

  flush(): void {
    this.reporter.flush();
  }
}
