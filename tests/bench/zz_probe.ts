import { join } from "node:path";
import { meterSync } from "/work/wt-ctl/tests/bench/metered_sync.ts";
const HERE = { command: (_: any, p: any) => p, address: () => "127.0.0.1" };
const n = Number(Deno.args[0] ?? 3), mib = Number(Deno.args[1] ?? 1024);
for (let r = 0; r < n; r++) {
  const reportOf = (host: string, folder: string) => join(folder, `report-${host}`);
  const env = (host: string, folder: string) => ({ CONTROL_REPORT: reportOf(host, folder) });
  await meterSync(
    HERE as any,
    { files: [mib], main: "/work/wt-ctl/tests/bench/zz_main.ts", env },
    (sync, folder) => {
      const logOf = (host: string): any =>
        JSON.parse(Deno.readTextFileSync(reportOf(host, folder)));
      const [a, b] = [logOf("a"), logOf("b")];
      const t0 = a.due[0][1];
      console.log("run", r, (sync.bytes / sync.seconds / 1e6).toFixed(0), "MB/s", sync.seconds);
      for (const [name, own, other] of [["client", a, b], ["server", b, a]] as any) {
        const due = new Map(own.due), called = new Map(own.called);
        const rows = other.arrived.map((
          [t, at]: any,
        ) => [
          at - (due.get(t) as number),
          (due.get(t) as number) - t0,
          (called.get(t) as number) - (due.get(t) as number),
        ]);
        rows.sort((x: any, y: any) => y[0] - x[0]);
        console.log(
          " ",
          name,
          "one way:",
          rows.slice(0, 8).map((x: any) =>
            `${x[0].toFixed(0)}@${x[1].toFixed(0)}(late ${x[2].toFixed(0)})`
          ).join(" "),
        );
        const st = own.stalls.map(([at, ms]: any) => [ms, at - t0]).sort((x: any, y: any) =>
          y[0] - x[0]
        );
        console.log(
          "    stalls:",
          st.slice(0, 10).map((x: any) => `${x[0].toFixed(0)}@${x[1].toFixed(0)}`).join(" "),
        );
      }
    },
  );
}
