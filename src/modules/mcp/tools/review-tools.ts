import { type ToolCall } from '../tool-call.js';
import { AGENT, count, flag, id, list, oneOf, type Shape, TASK, TEAM, text, tool, uuid } from './tool.js';

const REVIEWER = ['user', 'agent'] as const;
const CLAIMED = uuid('Kept as a claim only: who acts is known by your credential');
const REVIEW = { review_id: id('The review') };
const SUMMARY = text('Why, in a few sentences');
const MAX_SECONDS = 3600;
/** As long as one call of the route waits. */
const ROUTE_SECONDS = 30;

interface Review {
  attempt: number;
  verdict?: string | null;
  summary?: string | null;
  comments?: { file_path?: string | null; line_number?: number | null; content: string }[];
}

const newestFeedback = (body: unknown): Review | null =>
  (body as Review[])
    .filter(({ verdict }) => verdict === 'request_changes')
    .reduce<Review | null>((newest, one) => (newest && newest.attempt > one.attempt ? newest : one), null);

/** The newest review that asks for changes, in words for an agent. */
const FEEDBACK: Shape = {
  schema: ({ properties, $defs }) => ({
    type: 'object',
    properties: { review: { anyOf: [properties?.['items']?.items ?? {}, { type: 'null' }] } },
    required: ['review'],
    ...($defs ? { $defs } : {}),
  }),
  of: (body) => ({ review: newestFeedback(body) }),
  text: (body) => {
    const review = newestFeedback(body);
    if (review === null) return 'No review asks for changes.';
    const comments = (review.comments ?? []).map(({ file_path, line_number, content }) =>
      file_path ? `- ${file_path}${line_number ? `:${line_number}` : ''}: ${content}` : `- ${content}`,
    );
    return [`Review ${review.attempt} asks for changes: ${review.summary ?? ''}`, ...comments].join('\n');
  },
};

/** What people and reviewers decide. */
export const REVIEW_TOOLS = [
  tool(
    'ask_human',
    'Ask a person',
    'POST /human-requests',
    'Asks the people of the team a question. With wait the call lasts until one answers (an hour at the most); without it the answer comes with the next run. Ask only what you cannot find out. Answers the request; when answered, `status` is resolved and `response` holds the answer.',
    {
      openWorld: true,
      waits: true,
      input: {
        ...TEAM,
        ...AGENT,
        kind: oneOf(['question', 'approval', 'review'], 'What is asked for'),
        question: text('The question, with all that is needed to answer it'),
        task_id: TASK.task_id.optional(),
        options: list(text('A possible answer'), 'With options, one of them must be chosen').default([]),
        timeout_minutes: count('After which it expires unanswered').optional(),
        wait: flag('Wait for the answer').default(false),
      },
      run: async ({ args: { wait, ...args }, send, progress }) => {
        const { body } = await send(args);
        return wait === true ? waitForAnswer(body as HumanRequest, send, progress) : body;
      },
    },
  ),
  tool(
    'get_pending_requests',
    'List open questions',
    'GET /teams/{team_id}/human-requests',
    'Lists the questions of a team that no person has answered yet.',
    {
      adds: { status: 'pending' },
      input: {
        ...TEAM,
        agent_id: uuid('Only those of this agent').optional(),
        task_id: id('Only those about this task').optional(),
      },
    },
  ),
  tool(
    'respond_to_request',
    'Answer a question',
    'POST /human-requests/{request_id}/respond',
    'Answers a question of an agent. For people. Answers the request.',
    {
      destructive: true,
      input: {
        request_id: id('The request, of get_pending_requests'),
        response: text('The answer; one of the options, where there are any'),
        responded_by: CLAIMED.optional(),
      },
    },
  ),
  tool(
    'request_review',
    'Ask for a review',
    'POST /tasks/{task_id}/reviews',
    'Opens a review of the work on a task. Without a reviewer an idle agent of the role reviewer is asked. Answers the review.',
    {
      input: {
        ...TASK,
        reviewer_id: uuid('Who is to review').optional(),
        reviewer_type: oneOf(REVIEWER, 'What the reviewer is').default('user'),
      },
    },
  ),
  ...(['approve', 'reject'] as const).map((verdict) =>
    tool(
      `${verdict}_task`,
      verdict === 'approve' ? 'Approve a task' : 'Reject a task',
      `POST /tasks/{task_id}/${verdict}`,
      `Gives the latest review of a task the verdict ${verdict}. Refused when it has one. Answers the review.`,
      {
        destructive: true,
        adds: { verdict, reviewer_type: 'user' },
        input: { ...TASK, summary: SUMMARY.optional(), reviewer_id: CLAIMED.optional() },
      },
    ),
  ),
  tool(
    'submit_review_verdict',
    'Give a verdict',
    'POST /reviews/{review_id}/verdict',
    'Ends a review: approve, request_changes (the task goes back to its agent with your comments) or reject. Add comments first. Answers the review.',
    {
      destructive: true,
      input: {
        ...REVIEW,
        verdict: oneOf(['approve', 'request_changes', 'reject'], 'The verdict'),
        summary: SUMMARY.optional(),
        reviewer_id: CLAIMED.optional(),
        reviewer_type: oneOf(REVIEWER, 'Kept as a claim only').default('agent'),
      },
    },
  ),
  tool(
    'add_review_comment',
    'Comment on a review',
    'POST /reviews/{review_id}/comments',
    'Adds a comment to an open review, to a file and line where it is about one. Answers the comment.',
    {
      input: {
        ...REVIEW,
        author_id: uuid("Kept as a claim only; an agent's key may leave it out"),
        author_type: oneOf(REVIEWER, 'Kept as a claim only').default('agent'),
        content: text('The comment'),
        file_path: text('The file, from the root of the repository').optional(),
        line_number: count('The line, from 1').optional(),
      },
    },
  ),
  tool(
    'get_review_feedback',
    'Read what a review asks for',
    'GET /tasks/{task_id}/reviews',
    'Reads the newest review that asks for changes, with its comments. Read it before you work on a task again. `review` is null when there is none.',
    { input: TASK, shape: FEEDBACK },
  ),
  tool(
    'get_merge_status',
    'Read the merge status',
    'GET /tasks/{task_id}/merge-status',
    'Tells whether the work on a task may be merged, and how its merge jobs stand.',
    { input: TASK },
  ),
];

interface HumanRequest {
  id: number;
  status: string;
}

/** Until it is answered or expired, or an hour has passed: the route waits, and hears of the answer by NOTIFY. */
async function waitForAnswer(
  asked: HumanRequest,
  send: ToolCall['send'],
  progress: ToolCall['progress'],
): Promise<HumanRequest> {
  let request = asked;
  for (let waited = 0; waited < MAX_SECONDS && request.status === 'pending';) {
    const began = performance.now();
    const args = { request_id: asked.id, wait_seconds: ROUTE_SECONDS };
    request = (await send(args, 'GET /human-requests/{request_id}')).body as HumanRequest;
    const seconds = (performance.now() - began) / 1000;
    // Sent away early: the service is stopping.
    if (request.status === 'pending' && seconds < ROUTE_SECONDS / 2) break;
    waited += seconds;
    progress(Math.round(waited), MAX_SECONDS, `request ${asked.id} is ${request.status}`);
  }
  return request;
}
