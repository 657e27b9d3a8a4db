import { describe, expect, it } from '@jest/globals';
import { Metrics } from './metrics.js';

describe('Metrics', () => {
  it('counts deliveries and runs by result', async () => {
    const metrics = new Metrics();
    metrics.countDelivery('processed');
    metrics.countDelivery('processed');
    metrics.countRun('failed');
    const text = await metrics.registry.metrics();
    expect(text).toContain('entourage_deliveries_total{result="processed"} 2');
    expect(text).toContain('entourage_runs_total{result="failed"} 1');
  });

  it('puts a time into its bucket and never counts a negative one', async () => {
    const metrics = new Metrics();
    metrics.observe('dispatch_wait', 0.3);
    metrics.observe('dispatch_wait', -5);
    const text = await metrics.registry.metrics();
    expect(text).toContain('entourage_stage_seconds_bucket{le="0.25",stage="dispatch_wait"} 1');
    expect(text).toContain('entourage_stage_seconds_bucket{le="0.5",stage="dispatch_wait"} 2');
    expect(text).toContain('entourage_stage_seconds_sum{stage="dispatch_wait"} 0.3');
  });

  it('reads gauges when asked, and leaves out what is not known', async () => {
    const metrics = new Metrics();
    let waiting: number | null = 3;
    metrics.gauge('entourage_waiting', 'help', () => waiting);
    metrics.gauges('entourage_pool', 'help', 'state', () => ({ idle: 2, busy: 1 }));
    const before = await metrics.registry.metrics();
    expect(before).toContain('entourage_waiting 3');
    expect(before).toContain('entourage_pool{state="idle"} 2');
    waiting = null;
    expect(await metrics.registry.metrics()).not.toMatch(/^entourage_waiting \d/m);
  });

  it('keeps the numbers of two applications apart', async () => {
    const [one, other] = [new Metrics(), new Metrics()];
    one.countRun('succeeded');
    expect(await other.registry.metrics()).not.toContain('entourage_runs_total{');
  });
});
