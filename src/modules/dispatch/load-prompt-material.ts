import { type EntityManager } from 'typeorm';
import { preparedBy, type PreparedStatement } from '../../database/prepared.js';
import { IS_ACTIVE } from './active-run.js';
import { type PromptMaterial } from './build-prompt.js';
import { type Assignment } from './runtimes/runtime.js';

/** Everything a prompt is made of, and what a runtime needs to know. */
export interface RunMaterial {
  prompt: PromptMaterial;
  agent: Assignment['agent'];
  task: Assignment['task'];
  earlier_run_ids: string[];
}

type Row = Omit<PromptMaterial, 'agent' | 'task' | 'context' | 'earlier_runs'> & {
  agent: Omit<Assignment['agent'], 'runtime_secret'>;
  runtime_secret: Buffer | null;
  task: PromptMaterial['task'];
  context: { key: string; value: { value: unknown } }[];
  earlier_runs: (PromptMaterial['earlier_runs'][number] & { id: string })[];
};

/** An array of what `rows` are, in their order. */
const list = (rows: string): string => `(SELECT coalesce(jsonb_agg(to_jsonb(row)), '[]') FROM (${rows}) row)`;

/** All at once: it is read for every run, and each statement is a way to the database and back. */
const MATERIAL: PreparedStatement = {
  name: 'prompt-material',
  text: `
  SELECT r.attempt, r.prompt AS instruction, a.runtime_secret,
    jsonb_build_object('id', a.id, 'name', a.name, 'role', a.role, 'model', a.model,
      'runtime_config', a.runtime_config) AS agent,
    jsonb_build_object('id', t.id, 'title', t.title, 'description', t.description, 'priority', t.priority,
      'branch', t.branch, 'tags', t.tags) AS task,
    CASE WHEN s.key IS NULL THEN NULL ELSE jsonb_build_object('kind', s.kind, 'repository', s.repository,
      'number', s.number, 'url', s.url, 'author', s.author, 'author_association', s.author_association)
    END AS source,
    ${list('SELECT key, value FROM task_context WHERE task_id = r.task_id ORDER BY updated_at DESC, key LIMIT 100')} AS context,
    ${list(`SELECT key, content FROM team_conventions WHERE team_id = a.team_id AND active ORDER BY key`)} AS conventions,
    ${list(`SELECT e.id, e.attempt, e.status, e.error, e.summary FROM agent_runs e
      WHERE e.task_id = r.task_id AND e.id <> r.id ORDER BY e.attempt DESC LIMIT 20`)} AS earlier_runs,
    -- What was said of the task to an agent that had it before, and did not finish with it, is for its next agent too.
    ${list(`SELECT m.id, m.content, coalesce(m.actor->>'type', m.sender_type) || ' '
        || coalesce(m.actor->>'name', m.actor->>'id', '') AS sender
      FROM messages m
      WHERE m.recipient_type = 'agent' AND m.processed_at IS NULL
        AND m.recipient_id IN (SELECT agent_id FROM agent_runs WHERE task_id = r.task_id)
        AND (m.task_id = r.task_id OR m.task_id IS NULL AND m.recipient_id = a.id)
      ORDER BY m.id LIMIT 50`)} AS messages
  FROM agent_runs r JOIN agents a ON a.id = r.agent_id JOIN tasks t ON t.id = r.task_id
    LEFT JOIN task_sources s ON s.task_id = t.id
  WHERE r.id = $1 AND r.${IS_ACTIVE}`,
};

/** Null when the run has ended. */
export async function loadPromptMaterial(
  manager: EntityManager,
  run_id: string,
): Promise<RunMaterial | null> {
  const [row] = await preparedBy<Row>(manager, MATERIAL, [run_id]);
  if (row === undefined) return null;
  const { task, agent, runtime_secret, context, earlier_runs, ...rest } = row;
  return {
    agent: { ...agent, runtime_secret },
    task,
    earlier_run_ids: earlier_runs.map(({ id }) => id),
    prompt: {
      ...rest,
      agent,
      task,
      context: context.map(({ key, value }) => ({ key, value: value.value })),
      earlier_runs: earlier_runs.slice(0, 3),
    },
  };
}
