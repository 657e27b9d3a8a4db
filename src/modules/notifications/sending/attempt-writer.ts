import { Injectable, Logger } from '@nestjs/common';
import { setTimeout as delay } from 'node:timers/promises';
import { RecordAttempts } from './record-attempts.js';
import { type Attempt } from './send-delivery.js';

const MAX_BATCH = 200;
const RETRY_MS = 500;

interface Waiting {
  attempt: Attempt;
  done: () => void;
}

/**
 * Group commit for attempts: what ends while a transaction is under way goes into the next one. While the database is
 * away it tries on until the leases are over; then others send those deliveries again, so nothing is lost.
 */
@Injectable()
export class AttemptWriter {
  private readonly logger = new Logger(AttemptWriter.name);
  private waiting: Waiting[] = [];
  private writing = false;

  constructor(private readonly records: RecordAttempts) {}

  /** Resolves when it is on disk, or given up. */
  write(attempt: Attempt, lease_ms: number): Promise<void> {
    const until = attempt.started_at.getTime() + lease_ms;
    return new Promise((done) => {
      this.waiting.push({ attempt, done });
      if (!this.writing) void this.flush(until);
    });
  }

  private async flush(until: number): Promise<void> {
    this.writing = true;
    while (this.waiting.length > 0) {
      const batch = this.waiting.splice(0, MAX_BATCH);
      await this.persist(
        batch.map(({ attempt }) => attempt),
        until,
      );
      for (const { done } of batch) done();
    }
    this.writing = false;
  }

  private async persist(attempts: Attempt[], until: number): Promise<void> {
    for (;;)
      try {
        await this.records.record(attempts);
        return;
      } catch (error) {
        const left = Date.now() < until;
        this.logger.warn(
          { err: error, attempts: attempts.length },
          left
            ? 'attempts could not be recorded; trying again'
            : 'attempts were not recorded: they are made again',
        );
        if (!left) return;
        await delay(RETRY_MS);
      }
  }
}
