/**
 * What a server tells Prometheus: numbers that are counted anyway, read when somebody asks, and the HTTP
 * server that gives them. A door of its own: nobody loads it who has not asked for metrics.
 *
 * @module
 */
export { MetricsServer } from "./metrics_server.ts";
export { ServeMetrics } from "./serve_metrics.ts";
export { SessionTally } from "./session_tally.ts";
