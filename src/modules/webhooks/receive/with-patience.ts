import { isDatabaseUnavailable } from '../../../errors/database-errors.js';
import { unavailable } from './unavailable.js';

/** What a delivery may wait for the database in all: with everything else, the sender has its 503 within two seconds. */
export const DATABASE_PATIENCE_MS = 1_600;

/** @throws DomainError `service_unavailable` when the database cannot be reached or takes longer. */
export async function withPatience<T>(work: Promise<T>, milliseconds: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(unavailable()), Math.max(1, milliseconds));
  });
  try {
    return await Promise.race([work, late]);
  } catch (error) {
    throw isDatabaseUnavailable(error) ? unavailable() : error;
  } finally {
    clearTimeout(timer);
  }
}
