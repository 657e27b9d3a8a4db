import { Injectable } from '@nestjs/common';
import {
  DataSource,
  type EntitySubscriberInterface,
  type InsertEvent,
  type QueryRunner,
  type TransactionCommitEvent,
  type TransactionRollbackEvent,
  type UpdateEvent,
} from 'typeorm';
import {
  flushNotifications,
  forgetNotifications,
  markTeamsChanged,
} from '../../database/notify-on-commit.js';
import { Task } from './task.entity.js';

/**
 * Tells dispatchers of every task written through TypeORM, once per transaction, through the transaction's own
 * connection: the notification is sent by the commit, or not at all. Raw SQL passes it by and marks teams itself.
 */
@Injectable()
export class TaskNotifySubscriber implements EntitySubscriberInterface<Task> {
  constructor(db: DataSource) {
    db.subscribers.push(this);
  }

  listenTo(): typeof Task {
    return Task;
  }

  /** With `orIgnore()` a duplicate comes here too, without id; its team may get one hint too many. */
  afterInsert({ entity, queryRunner }: InsertEvent<Task>): Promise<void> {
    return changed(queryRunner, [(entity as Partial<Task> | undefined)?.team_id]);
  }

  /** `update()` and query builders tell the changed columns but not which rows. */
  afterUpdate({ entity, databaseEntity, queryRunner }: UpdateEvent<Task>): Promise<void> {
    const before = (databaseEntity as Task | undefined)?.team_id;
    const after = (entity as Partial<Task> | undefined)?.team_id;
    return changed(queryRunner, before === undefined ? [undefined] : [before, after ?? before]);
  }

  async beforeTransactionCommit({ queryRunner }: TransactionCommitEvent): Promise<void> {
    if (depth(queryRunner) <= 1) await flushNotifications(queryRunner);
  }

  /** Going back to a savepoint keeps the marks: a hint too many costs one look, one too few a wait for the poll. */
  afterTransactionRollback({ queryRunner }: TransactionRollbackEvent): void {
    if (!queryRunner.isTransactionActive) forgetNotifications(queryRunner);
  }
}

/** An unknown team is every team. Without a transaction the row is committed already, and no commit will come. */
async function changed(runner: QueryRunner, teams: (string | undefined)[]): Promise<void> {
  markTeamsChanged(
    runner,
    teams.map((id) => id ?? '*'),
  );
  if (!runner.isTransactionActive) await flushNotifications(runner);
}

/** TypeORM calls a released savepoint a commit too; its own counter is the only thing that tells them apart. */
const depth = (runner: QueryRunner): number =>
  (runner as unknown as { transactionDepth: number }).transactionDepth;
