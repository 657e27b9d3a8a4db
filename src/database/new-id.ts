import { randomFillSync } from 'node:crypto';
import { v7 } from 'uuid';

const RANDOM_BYTES = 16;
/** Randomness for many ids at once: asking the system for a few bytes costs more than all the rest of an id. */
const pool = Buffer.alloc(256 * RANDOM_BYTES);
let used = pool.length;
let msecs = 0;
let seq = 0;

/**
 * A UUID version 7 (RFC 9562): unique everywhere and ordered by the time it was made, within this process also in the
 * same millisecond.
 */
export function newId(): string {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const random = pool.subarray(used, (used += RANDOM_BYTES));
  const now = Date.now();
  if (now > msecs) {
    msecs = now;
    // Half of the counter's 32 bits stay free to count up in.
    seq = random.readUInt32BE(6) >>> 1;
  } else seq += 1;
  return v7({ msecs, seq, random });
}

/** The moment, in milliseconds since the epoch, that a UUID version 7 carries; null for any other string. */
export function idTime(id: string): Date | null {
  if (!/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i.test(id)) return null;
  return new Date(Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16));
}
