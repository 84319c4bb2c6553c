import { Counter, Gauge, Registry } from "prom-client";
import { FAMILIES } from "./families.ts";
import type { MetricsSource } from "./metrics_server.ts";
import { readVitals, type VitalSources } from "./vitals.ts";

/**
 * The metrics of a server as text for Prometheus. Everything is read when somebody asks; in between it
 * costs nothing.
 */
export class ServeMetrics implements MetricsSource {
  readonly #sources: VitalSources;
  readonly #registry = new Registry();
  readonly #metrics = FAMILIES.map((family) => {
    const { type, name, help, labels } = family;
    const options = { name, help, labelNames: labels, registers: [this.#registry] };
    return { family, metric: type === "counter" ? new Counter(options) : new Gauge(options) };
  });

  constructor(sources: VitalSources) {
    this.#sources = sources;
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  async render(): Promise<string> {
    const vitals = readVitals(this.#sources);
    // At one go, so that scrapes which overlap never see a metric half filled.
    for (const { family, metric } of this.#metrics) {
      metric.reset();
      for (const [labels, value] of family.samples(vitals)) metric.inc(labels, value);
    }
    return await this.#registry.metrics();
  }
}
