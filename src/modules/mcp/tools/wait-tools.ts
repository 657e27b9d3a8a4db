import { TASK_STATUSES } from '../../tasks/task.entity.js';
import { type ToolCall } from '../tool-call.js';
import { count, list, oneOf, type Shape, TASK, tool } from './tool.js';

const MAX_SECONDS = 3600;
const ENDS = ['done', 'cancelled', 'archived', 'in_review'] as const;
const TIMEOUT = count('How long to wait at the most, up to 3600').default(MAX_SECONDS);

/** The task as it is after the wait, and whether the wait was in vain. */
const WAITED: Shape = {
  schema: (ofRoute) => ({
    ...ofRoute,
    properties: { ...ofRoute.properties, timed_out: { type: 'boolean' } },
    required: [...(ofRoute.required ?? []), 'timed_out'],
  }),
  of: (body) => body,
};

interface SeenTask {
  id: number;
  team_id: string;
  status: string;
}

/** Waiting for tasks: the answer comes with the change, since PostgreSQL tells of it. */
export const WAIT_TOOLS = [
  tool(
    'wait_for_task_completion',
    'Wait for the end of a task',
    'GET /tasks/{task_id}',
    'Waits until a task has one of the given statuses; in_review counts as an end unless you leave it out. Answers the task the moment that happens, or with `timed_out: true`: then call it again. Use it instead of asking again and again.',
    {
      waits: true,
      shape: WAITED,
      input: {
        ...TASK,
        timeout_seconds: TIMEOUT,
        terminal_statuses: list(oneOf(TASK_STATUSES, 'A status'), 'What to wait for').default([...ENDS]),
      },
      run: (call) => {
        const ends = call.args['terminal_statuses'] as string[];
        return waitForTask(call, () => (status) => ends.includes(status));
      },
    },
  ),
  tool(
    'wait_for_task',
    'Wait for a task to change',
    'GET /tasks/{task_id}',
    'Waits until the status of a task is another than known_status, or than it is now. Answers the task the moment that happens, or with `timed_out: true`.',
    {
      waits: true,
      shape: WAITED,
      input: {
        ...TASK,
        known_status: oneOf(TASK_STATUSES, 'The status you have seen').optional(),
        timeout_seconds: TIMEOUT,
      },
      run: (call) =>
        waitForTask(call, (now) => {
          const known = call.args['known_status'] ?? now;
          return (status) => status !== known;
        }),
    },
  ),
];

async function waitForTask(
  { args, send, waits, signal, progress }: ToolCall,
  ends: (now: string) => (status: string) => boolean,
): Promise<unknown> {
  const { id, team_id, status } = (await send()).body as SeenTask;
  const seconds = Math.max(0, Math.min(MAX_SECONDS, Number(args['timeout_seconds'])));
  const reached = await waits.wait({
    task_id: id,
    team_id,
    ends: ends(status),
    seconds,
    signal,
    told: (waited, now) => progress(waited, seconds, `task ${id} is ${now ?? status}`),
  });
  return { ...((await send()).body as object), timed_out: !reached };
}
