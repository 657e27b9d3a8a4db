import { setTimeout as delay } from 'node:timers/promises';

const CHECK_MS = 1_000;

export interface Keepable {
  isAlive(): Promise<boolean>;
  restart(): Promise<void>;
}

/**
 * Looks after a server that nobody else does: when it is gone, killed for want of memory for example, it is started
 * again. Until then requests are answered 503, and dispatch waits.
 * @returns ends the watch; resolves when a restart under way is through.
 */
export function keepRunning(server: Keepable, progress: (step: string) => void): () => Promise<void> {
  const ending = new AbortController();
  const watch = async (): Promise<void> => {
    while (!ending.signal.aborted) {
      await delay(CHECK_MS, undefined, { signal: ending.signal, ref: false }).catch(() => undefined);
      if (ending.signal.aborted || (await server.isAlive())) continue;
      progress('the embedded database is gone; starting it again');
      await server.restart().then(
        () => progress('the embedded database runs again'),
        (error: unknown) => progress(`the embedded database did not start: ${String(error)}`),
      );
    }
  };
  const watching = watch();
  return async () => {
    ending.abort();
    await watching;
  };
}
