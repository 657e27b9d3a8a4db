import { type QueryRunner } from 'typeorm';
import { prepared, type PreparedStatement } from '../../../database/prepared.js';
import { toJson } from '../record-event.js';
import { type SourceChange } from '../source-change.js';
import { type TaskSource } from '../task-source.entity.js';
import { storable } from '../text.js';
import { textHash } from './source-text.js';

const COLUMNS = `org_id uuid, key text, webhook_id uuid, kind text, repository_id bigint, repository text, number int,
      url text, author text, author_association text, labels jsonb, state text, state_reason text, draft boolean,
      source_updated_at timestamptz, body_sha256 text, early_text jsonb, edited_after_start boolean`;
const NAMES = COLUMNS.split(',')
  .map((column) => column.trim().split(' ')[0])
  .join(', ');
const FACTS = NAMES.replace('org_id, key, webhook_id, kind, ', '');

/** In the order of their keys: two transactions that want the same sources wait for each other in one direction. */
const LOCK: PreparedStatement = {
  name: 'lock-task-sources',
  text: `
  INSERT INTO task_sources (${NAMES})
  SELECT ${NAMES} FROM json_to_recordset($1) AS s (${COLUMNS}) ORDER BY org_id, key
  ON CONFLICT (org_id, key) DO UPDATE SET updated_at = task_sources.updated_at
  RETURNING ${NAMES}, task_id`,
};

const SAVE = `
  UPDATE task_sources t SET (${FACTS}, updated_at) = (SELECT ${FACTS.replaceAll(/\w+/g, 's.$&')}, now())
  FROM json_to_recordset($1) AS s (${COLUMNS}) WHERE t.org_id = s.org_id AND t.key = s.key`;

const idOf = (org_id: string, key: string): string => `${org_id} ${key}`;

/** The sources that a batch of changes is about, locked until the transaction ends, made where they are new. */
export class LockedSources {
  private constructor(
    private readonly runner: QueryRunner,
    private readonly rows: Map<string, { source: TaskSource; before: string }>,
  ) {}

  static async lock(runner: QueryRunner, changes: SourceChange[]): Promise<LockedSources> {
    const seeds = new Map<string, object>();
    const seed = (org_id: string, key: string, row: () => object): void => {
      const id = idOf(org_id, key);
      if (!seeds.has(id)) seeds.set(id, row());
    };
    for (const change of changes) seed(change.org_id, change.item.key, () => firstSight(change));
    for (const change of changes)
      if (change.other_key !== undefined) {
        const key = change.other_key;
        seed(change.org_id, key, () => elsewhere(change, key));
      }
    const rows =
      seeds.size === 0 ? [] : await prepared<TaskSource>(runner, LOCK, [toJson([...seeds.values()])]);
    return new LockedSources(
      runner,
      new Map(rows.map((source) => [idOf(source.org_id, source.key), { source, before: facts(source) }])),
    );
  }

  get(org_id: string, key: string): TaskSource {
    const row = this.rows.get(idOf(org_id, key));
    if (row === undefined) throw new Error(`the source ${key} was not locked`);
    return row.source;
  }

  taskIds(): number[] {
    return [...this.rows.values()].flatMap(({ source }) => (source.task_id === null ? [] : [source.task_id]));
  }

  /** Gives the task of one source to another, with all that is known of it. */
  async moveTask(from: TaskSource, to: TaskSource): Promise<void> {
    const {
      task_id,
      labels,
      state,
      state_reason,
      draft,
      source_updated_at,
      body_sha256,
      edited_after_start,
    } = from;
    const link = 'UPDATE task_sources SET task_id = $3 WHERE org_id = $1 AND key = $2';
    await this.runner.query(link, [from.org_id, from.key, null]);
    await this.runner.query(link, [to.org_id, to.key, task_id]);
    Object.assign(to, { task_id, draft, source_updated_at, body_sha256, edited_after_start });
    Object.assign(to, { labels: { ...labels, ...to.labels } });
    if (to.state === 'open') Object.assign(to, { state, state_reason });
    from.task_id = null;
  }

  /** Writes what changed in memory; the link to the task is written where it is made. */
  async save(): Promise<void> {
    const changed = [...this.rows.values()].filter(({ source, before }) => facts(source) !== before);
    if (changed.length > 0) await this.runner.query(SAVE, [toJson(changed.map(({ source }) => source))]);
  }
}

const facts = (source: TaskSource): string => JSON.stringify({ ...source, task_id: undefined });

/** A pull request's labels on opening do not rank it, so only what is done to them later is kept. */
export const snapshotLabels = ({ item }: SourceChange): Record<string, boolean> =>
  item.kind === 'issue' ? Object.fromEntries(item.labels.map((label) => [storable(label), true])) : {};

function firstSight(change: SourceChange): object {
  const { org_id, webhook_id, item } = change;
  const { key, kind, repository_id, repository, number, url, author, author_association, draft } = item;
  const opened = change.action === 'opened';
  return {
    org_id,
    key,
    webhook_id,
    kind,
    repository_id,
    repository,
    number,
    url,
    author,
    author_association,
    labels: opened ? snapshotLabels(change) : {},
    state: 'open',
    draft: opened && draft,
    source_updated_at: opened ? item.updated_at : null,
    body_sha256: opened ? textHash(item) : null,
    edited_after_start: false,
  };
}

/** All that a transfer tells of the other place. */
const elsewhere = ({ org_id, webhook_id, item }: SourceChange, key: string): object => ({
  org_id,
  key,
  webhook_id,
  kind: item.kind,
  author: item.author,
  labels: {},
  state: 'open',
  draft: false,
  edited_after_start: false,
});

/** Whether what the task came from is gone for good, so that nothing more of its text may be kept. */
export const IS_DELETED_AT_SOURCE = (task_id: string): string =>
  `EXISTS (SELECT FROM task_sources WHERE task_id = ${task_id} AND state = 'deleted')`;
