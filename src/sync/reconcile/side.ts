/** The two ends of a session, as the planning device sees them: its own share, and the peer's. */
export type Side = "local" | "remote";

/** One thing for each side. */
export type BySide<T> = Readonly<Record<Side, T>>;

/** Both sides, in the order in which everything is done that has no better order. */
export const SIDES: readonly Side[] = ["local", "remote"];

/** The side that is not this one. */
export function across(side: Side): Side {
  return side === "local" ? "remote" : "local";
}

/** Makes one thing for each side. */
export function bySide<T>(make: (side: Side) => T): Record<Side, T> {
  return { local: make("local"), remote: make("remote") };
}
