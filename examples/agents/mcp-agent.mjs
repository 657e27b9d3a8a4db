#!/usr/bin/env node
// An agent that works through MCP: reads its task and the notes of earlier attempts, reports, and ends its own run.
// Any MCP client would do; this one needs nothing but Node.js 20. Everything it knows is in its environment.
import process from 'node:process';
import { call } from './team/mcp.mjs';

const { ENTOURAGE_TASK_ID, ENTOURAGE_RUN_ID, ENTOURAGE_FENCING_TOKEN, ENTOURAGE_ATTEMPT } = process.env;
const task_id = Number(ENTOURAGE_TASK_ID);
const run = { run_id: ENTOURAGE_RUN_ID, fencing_token: Number(ENTOURAGE_FENCING_TOKEN) };

const task = await call('get_task', { task_id });
const { context } = await call('get_context', { task_id });
console.log(
  `Task ${task.id}, attempt ${ENTOURAGE_ATTEMPT}: ${task.title}; notes: ${Object.keys(context).join(', ') || 'none'}`,
);

const { cancel_requested } = await call('heartbeat_run', { ...run, progress: 'has read the task' });
if (cancel_requested) process.exit(1);

// Here the work would be done.
await call('save_context', { task_id, key: 'plan', value: { steps: ['look', 'mend', 'test'] } });
await call('finish_run', { ...run, summary: `Mended: ${task.title}` });
