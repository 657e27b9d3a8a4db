import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';

/**
 * One at a time for each repository, over all processes. Those of this process queue up before the database's lock, so
 * that they take one connection of the pool and not all of them.
 */
@Injectable()
export class RepositoryLock {
  private readonly tails = new Map<string, Promise<unknown>>();

  constructor(private readonly db: DataSource) {}

  alone<T>(path: string, work: () => Promise<T>): Promise<T> {
    const before = this.tails.get(path) ?? Promise.resolve();
    const turn = before.then(() => this.locked(path, work));
    const tail: Promise<unknown> = turn
      .catch(() => undefined)
      .finally(() => {
        if (this.tails.get(path) === tail) this.tails.delete(path);
      });
    this.tails.set(path, tail);
    return turn;
  }

  /** The lock ends with the transaction, so also with the process. */
  private locked<T>(path: string, work: () => Promise<T>): Promise<T> {
    return this.db.transaction(async (manager) => {
      await manager.query(`SELECT pg_advisory_xact_lock(hashtextextended('worktrees:' || $1, 0))`, [path]);
      return work();
    });
  }
}
