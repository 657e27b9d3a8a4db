import { type EntityManager } from 'typeorm';
import { type PromptMaterial } from './build-prompt.js';
import { type Assignment } from './runtimes/runtime.js';

/** Everything a prompt is made of, and what a runtime needs to know. */
export interface RunMaterial {
  prompt: PromptMaterial;
  agent: Assignment['agent'];
  task: Assignment['task'];
  earlier_run_ids: string[];
}

type Row = Pick<PromptMaterial, 'source' | 'attempt' | 'instruction'> & {
  agent: Assignment['agent'];
  task: PromptMaterial['task'];
};

/** Null when the run has ended. */
export async function loadPromptMaterial(
  manager: EntityManager,
  run_id: string,
): Promise<RunMaterial | null> {
  const [row] = await manager.query<Row[]>(
    `SELECT r.attempt, r.prompt AS instruction,
       jsonb_build_object('id', a.id, 'name', a.name, 'role', a.role, 'model', a.model,
         'runtime_config', a.runtime_config) AS agent,
       jsonb_build_object('id', t.id, 'title', t.title, 'description', t.description, 'priority', t.priority,
         'branch', t.branch, 'tags', t.tags) AS task,
       CASE WHEN s.key IS NULL THEN NULL ELSE jsonb_build_object('kind', s.kind, 'repository', s.repository,
         'number', s.number, 'url', s.url, 'author', s.author, 'author_association', s.author_association)
       END AS source
     FROM agent_runs r JOIN agents a ON a.id = r.agent_id JOIN tasks t ON t.id = r.task_id
       LEFT JOIN task_sources s ON s.task_id = t.id
     WHERE r.id = $1 AND r.finished_at IS NULL`,
    [run_id],
  );
  if (row === undefined) return null;
  const { task, agent } = row;
  const context = await manager.query<{ key: string; value: { value: unknown } }[]>(
    'SELECT key, value FROM task_context WHERE task_id = $1 ORDER BY updated_at DESC, key LIMIT 100',
    [task.id],
  );
  const conventions = await manager.query<PromptMaterial['conventions']>(
    `SELECT c.key, c.content FROM agents a JOIN team_conventions c ON c.team_id = a.team_id
     WHERE a.id = $1 AND c.active ORDER BY c.key`,
    [agent.id],
  );
  const earlier = await manager.query<(PromptMaterial['earlier_runs'][number] & { id: string })[]>(
    `SELECT id, attempt, status, error, summary FROM agent_runs
     WHERE task_id = $1 AND id <> $2 ORDER BY attempt DESC LIMIT 20`,
    [task.id, run_id],
  );
  // What was said of the task to an agent that had it before, and did not finish with it, is for its next agent too.
  const messages = await manager.query<PromptMaterial['messages']>(
    `SELECT id, content, coalesce(actor->>'type', sender_type) || ' ' || coalesce(actor->>'name', actor->>'id', '')
       AS sender
     FROM messages
     WHERE recipient_type = 'agent' AND processed_at IS NULL
       AND recipient_id IN (SELECT agent_id FROM agent_runs WHERE task_id = $2)
       AND (task_id = $2 OR task_id IS NULL AND recipient_id = $1)
     ORDER BY id LIMIT 50`,
    [agent.id, task.id],
  );
  return {
    agent,
    task,
    earlier_run_ids: earlier.map(({ id }) => id),
    prompt: {
      agent,
      task,
      source: row.source,
      attempt: row.attempt,
      instruction: row.instruction,
      conventions,
      context: context.map(({ key, value }) => ({ key, value: value.value })),
      earlier_runs: earlier.slice(0, 3),
      messages,
    },
  };
}
