import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

/** Stages of the main job whose time is measured. */
export type Stage =
  /** A delivery, from its first byte to its answer. */
  | 'receive'
  /** The part of `receive` that waits for the transaction to be on disk. */
  | 'commit'
  /** From a task's creation to the start of its first run. */
  | 'dispatch_wait'
  /** A run, from its claim to its end. */
  | 'run'
  /** From a change to the answer of an outside system that was told of it at the first attempt. */
  | 'notify';

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800];

/** What Prometheus is told. Every name begins with `entourage_`; labels are bounded sets, never ids or text from outside. */
@Injectable()
export class Metrics implements OnApplicationShutdown {
  /** One per application, not prom-client's global one: tests run many applications in a process. */
  readonly registry = new Registry();

  private readonly deliveries = new Counter({
    name: 'entourage_deliveries_total',
    help: 'Deliveries answered, by result: processed, ignored, duplicate, refused (401, 404, 429), failed, unavailable (503)',
    labelNames: ['result'],
    registers: [this.registry],
  });
  private readonly runs = new Counter({
    name: 'entourage_runs_total',
    help: 'Agent runs ended by this process, by result',
    labelNames: ['result'],
    registers: [this.registry],
  });
  private readonly outbound = new Counter({
    name: 'entourage_outbound_attempts_total',
    help: 'Attempts to notify outside systems, by result: succeeded, failed',
    labelNames: ['result'],
    registers: [this.registry],
  });
  private readonly writeBacks = new Counter({
    name: 'entourage_write_backs_total',
    help: 'Write-backs to GitHub worked on, by result: current, waiting, paused, retrying, failed, stopped',
    labelNames: ['result'],
    registers: [this.registry],
  });
  private readonly repairs = new Counter({
    name: 'entourage_repair_checks_total',
    help: 'Checks for deliveries that GitHub could not make, by result: ok, failed',
    labelNames: ['result'],
    registers: [this.registry],
  });
  private readonly redeliveries = new Counter({
    name: 'entourage_redeliveries_requested_total',
    help: 'Redeliveries that GitHub was asked for',
    registers: [this.registry],
  });
  private readonly stages = new Histogram({
    name: 'entourage_stage_seconds',
    help: 'Time of each stage of the main job: receive, commit, dispatch_wait, run, notify',
    labelNames: ['stage'],
    buckets: SECONDS,
    registers: [this.registry],
  });

  constructor() {
    collectDefaultMetrics({ register: this.registry });
  }

  countDelivery(result: string): void {
    this.deliveries.inc({ result });
  }

  countRun(result: string): void {
    this.runs.inc({ result });
  }

  countOutbound(result: 'succeeded' | 'failed'): void {
    this.outbound.inc({ result });
  }

  countWriteBack(result: string): void {
    this.writeBacks.inc({ result });
  }

  countRepair(result: 'ok' | 'failed', requested: number): void {
    this.repairs.inc({ result });
    this.redeliveries.inc(requested);
  }

  /** @param seconds how long the stage took. */
  observe(stage: Stage, seconds: number): void {
    this.stages.observe({ stage }, Math.max(0, seconds));
  }

  /** Starts a clock; call what it returns when the stage has ended. */
  time(stage: Stage): () => void {
    const began = process.hrtime.bigint();
    return () => this.observe(stage, Number(process.hrtime.bigint() - began) / 1e9);
  }

  /** A gauge that is read when Prometheus asks. Returning null leaves it out of that answer. */
  gauge(name: string, help: string, read: () => number | null | Promise<number | null>): void {
    this.gauges(name, help, 'of', async (): Promise<Record<string, number>> => {
      const value = await read();
      return value === null ? {} : { '': value };
    });
  }

  /** As `gauge`, with one value for each value of `label`. */
  gauges(
    name: string,
    help: string,
    label: string,
    read: () => Record<string, number> | Promise<Record<string, number>>,
  ): void {
    const labelled = (key: string): Record<string, string> => (key === '' ? {} : { [label]: key });
    const gauge: Gauge = new Gauge({
      name,
      help,
      labelNames: [label],
      registers: [],
      collect: async () => {
        gauge.reset();
        for (const [key, value] of Object.entries(await read())) gauge.set(labelled(key), value);
      },
    });
    this.registry.registerMetric(gauge);
  }

  onApplicationShutdown(): void {
    this.registry.clear();
  }
}
