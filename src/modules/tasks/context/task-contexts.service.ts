import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { databaseFault } from '../../../errors/database-errors.js';
import { type DomainError, validationFailed } from '../../../errors/domain-error.js';
import { type Identity } from '../../auth/identity.js';
import { TaskContext } from '../task-context.entity.js';
import { Tasks } from '../tasks.service.js';
import { type ContextSavedDto, type SaveContextDto, type TaskContextDto } from './task-contexts.dto.js';

const MAX_BYTES = 256 * 1024;
const MAX_KEYS = 1_000;

/** NUL and halves of surrogate pairs as `JSON.stringify` writes them: PostgreSQL's jsonb takes neither. */
const UNSTORABLE = /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f][0-9a-f]{2})/;

/** The count keeps a task from growing without bound; writers at the same moment may pass it by their number. */
const SAVE = `
  INSERT INTO task_context (task_id, key, value)
  SELECT $1, $2, $3 WHERE (SELECT count(*) FROM task_context WHERE task_id = $1 AND key <> $2) < ${MAX_KEYS}
  ON CONFLICT (task_id, key) DO UPDATE SET value = excluded.value, updated_at = now()
  RETURNING key`;

/** What agents keep about a task between runs: a row for each key, so that writers of different keys never meet. */
@Injectable()
export class TaskContexts {
  constructor(
    private readonly db: DataSource,
    private readonly tasks: Tasks,
  ) {}

  async save(identity: Identity, task_id: number, { key, value }: SaveContextDto): Promise<ContextSavedDto> {
    await this.tasks.getReachable(identity, task_id);
    const rows = await this.db.query<unknown[]>(SAVE, [task_id, key, toStorableJson(value)]).catch(orTooDeep);
    if (rows.length === 0) throw refused('key', `a task keeps at most ${MAX_KEYS} keys`);
    return { key, value, saved: true };
  }

  async list(identity: Identity, task_id: number): Promise<TaskContextDto> {
    await this.tasks.getReachable(identity, task_id);
    return { task_id, context: await this.of(task_id) };
  }

  /** Everything kept about a task, by key. */
  async of(task_id: number): Promise<Record<string, unknown>> {
    const rows = await this.db.manager.find(TaskContext, { where: { task_id }, order: { key: 'ASC' } });
    return Object.fromEntries(rows.map(({ key, value }) => [key, value.value]));
  }
}

function toStorableJson(value: unknown): string {
  let json: string;
  try {
    json = JSON.stringify({ value });
  } catch (error) {
    if (error instanceof RangeError) throw refused('value', 'value is nested too deeply');
    throw error;
  }
  if (Buffer.byteLength(json) > MAX_BYTES) throw refused('value', 'value must be at most 256 kB of JSON');
  if (UNSTORABLE.test(json))
    throw refused('value', 'value must not hold null characters or unpaired surrogates');
  return json;
}

/** PostgreSQL's parser gives up on nesting before JavaScript's does (SQLSTATE class 54). */
function orTooDeep(error: unknown): never {
  if (databaseFault(error)?.code?.startsWith('54')) throw refused('value', 'value is nested too deeply');
  throw error;
}

const refused = (field: string, message: string): DomainError => validationFailed([{ field, message }]);
