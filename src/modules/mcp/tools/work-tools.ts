import { AGENT, count, flag, id, oneOf, PAGE, TASK, TEAM, text, tool, uuid } from './tool.js';

const RUN = {
  run_id: uuid('The run, of claim_work or of ENTOURAGE_RUN_ID'),
  fencing_token: count('Proof that the run is yours, of claim_work or of ENTOURAGE_FENCING_TOKEN'),
};
const PARTY = ['agent', 'user'] as const;

/** Working: runs of agents, and what they say to each other. */
export const WORK_TOOLS = [
  tool(
    'claim_work',
    'Ask for work',
    'POST /agents/{agent_id}/claim',
    'Takes the most urgent task that waits for the agent, or waits for one. For agents of the runtime pull. Answers `run` with its id, fencing_token, task and prompt, or null when there was nothing. Then work, call heartbeat_run at least three times per lease, and end with finish_run or fail_run.',
    {
      waits: true,
      input: { ...AGENT, wait_seconds: count('How long to wait for work, 0 to 30').default(0) },
    },
  ),
  tool(
    'heartbeat_run',
    'Report progress',
    'POST /runs/{run_id}/heartbeat',
    'Says that you are still at work, and how far. Stop at once when the answer has `cancel_requested: true`.',
    {
      idempotent: true,
      input: { ...RUN, progress: text('One line for the people who watch').optional() },
    },
  ),
  tool(
    'finish_run',
    'Finish a run',
    'POST /runs/{run_id}/finish',
    'Ends your run with success: its task goes to review. Call it once, when the work is done and pushed. Answers the run.',
    {
      adds: { status: 'succeeded' },
      input: {
        ...RUN,
        summary: text('What was done, for people').optional(),
        output: text('More, such as the end of a log').optional(),
      },
    },
  ),
  tool(
    'fail_run',
    'Give up a run',
    'POST /runs/{run_id}/finish',
    'Ends your run without success: its task is tried again later, or waits for a person. Say why, so that the next attempt can do better. Answers the run.',
    {
      adds: { status: 'failed' },
      input: {
        ...RUN,
        error: text('Why it failed'),
        summary: text('What was done, for people').optional(),
        output: text('More, such as the end of a log').optional(),
      },
    },
  ),
  tool(
    'start_agent',
    'Start an agent',
    'POST /agents/{agent_id}/run',
    'Starts an idle agent now: on the task given, else on its most urgent one, else on a new task made of the prompt. Answers the run.',
    {
      input: {
        ...AGENT,
        task_id: id('The task to work on').optional(),
        prompt: text('What to tell the agent').optional(),
      },
    },
  ),
  tool(
    'send_message',
    'Send a message',
    'POST /teams/{team_id}/messages',
    'Writes to an agent of the team or to a user. An agent is told with its next run: a message alone starts no work. You are the sender, whatever sender_id says. Answers the message.',
    {
      input: {
        ...TEAM,
        sender_id: uuid("Kept as a claim only; an agent's key may leave it out"),
        sender_type: oneOf(PARTY, "Kept as a claim only; an agent's key may leave it out"),
        recipient_id: uuid('The agent or user to write to'),
        recipient_type: oneOf(PARTY, 'What the recipient is'),
        content: text('The message'),
        task_id: id('The task it is about').optional(),
      },
    },
  ),
  tool(
    'get_inbox',
    'Read an inbox',
    'GET /agents/{agent_id}/inbox',
    'Lists the messages to an agent, newest first. When you have acted on one, call mark_message_processed.',
    {
      input: {
        ...AGENT,
        unprocessed_only: flag('Leaves out what is done with').default(true),
        ...PAGE,
      },
    },
  ),
  tool(
    'mark_message_processed',
    'Mark a message as processed',
    'POST /messages/{message_id}/processed',
    'Says that a message is done with: no later prompt holds it. Answers the message.',
    { idempotent: true, input: { message_id: id('The message, of get_inbox') } },
  ),
  tool(
    'start_session',
    'Start a session',
    'POST /sessions/start',
    'Begins to count what an agent uses. Refused when a budget is used up: then do not work. Answers the session.',
    {
      input: {
        ...AGENT,
        task_id: id('The task it is for').optional(),
        model: text('The model that is used').optional(),
      },
    },
  ),
  tool(
    'record_usage',
    'Record usage',
    'POST /sessions/{session_id}/usage',
    'Adds tokens to what a session has used. Call it after every turn with what that turn used, not with totals. Answers the session with its cost.',
    {
      input: {
        session_id: id('The session'),
        tokens_in: count('Input tokens of this turn').default(0),
        tokens_out: count('Output tokens of this turn').default(0),
        cache_read: count('Tokens read from the cache').default(0),
        cache_write: count('Tokens written to the cache').default(0),
      },
    },
  ),
  tool(
    'end_session',
    'End a session',
    'POST /sessions/{session_id}/end',
    'Ends a session, with an error if there was one. Answers the session.',
    { input: { session_id: id('The session'), error: text('What went wrong').optional() } },
  ),
  tool(
    'check_budget',
    'Check a budget',
    'GET /agents/{agent_id}/budget',
    'Tells what an agent has spent today and on a task, against its limits. Stop when `within_budget` is false.',
    { input: { ...AGENT, task_id: TASK.task_id.optional() } },
  ),
  tool(
    'get_cost_summary',
    'Read the costs of a team',
    'GET /teams/{team_id}/costs',
    'Sums up what a team has cost, by agent and by model.',
    { input: { ...TEAM, days: count('How many days back, 1 to 90').default(7) } },
  ),
];
