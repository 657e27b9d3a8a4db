// A manager that divides its task in two. A real one would ask a model how; what it does with the answer is the same.
import process from 'node:process';
import { call } from './mcp.mjs';

const task_id = Number(process.env.ENTOURAGE_TASK_ID);
const task = await call('get_task', { task_id });
const { items } = await call('decompose_task', {
  task_id,
  subtasks: [
    { title: 'Reproduce it and write down how', role: 'engineer' },
    { title: 'Mend it', role: 'engineer' },
  ],
  // Should this run be tried again, nothing is made twice.
  idempotency_key: `plan of task ${task_id}`,
});
console.log(`"${task.title}" is now ${items.map(({ id, title }) => `#${id} ${title}`).join(', ')}`);
