import { type ErrorCode } from '../../errors/error-codes.js';

/** What an agent should do about a failure, by its code; others explain themselves. */
const ADVICE: Partial<Record<ErrorCode, string>> = {
  authentication_required: 'Give the connection an X-API-Key header.',
  invalid_api_key:
    'Stop working: the key is not valid any more. The key of a run ends with the run; a person can make a new one.',
  api_key_expired: 'Stop working: the key has expired. A person can make a new one.',
  invalid_token: 'Log in again, or use an API key.',
  forbidden: 'You may not do this. Do not try again; ask a person or your manager to do it.',
  insufficient_scope: 'Your key may not do this. Do not try again; ask a person or your manager to do it.',
  organization_not_found: 'Check the id with list_orgs or whoami.',
  team_not_found: 'Check the id with list_teams or whoami.',
  agent_not_found: 'Check the id with list_agents.',
  repository_not_found: 'Check the id with list_repos.',
  task_not_found: 'Check the id with list_tasks.',
  message_not_found: 'Check the id with get_inbox.',
  review_not_found: 'Check the id: request_review gave it; a task without a review has none to decide.',
  human_request_not_found: 'Check the id with get_pending_requests.',
  run_not_found: 'Check the id: claim_work gave it, or ENTOURAGE_RUN_ID.',
  webhook_not_found: 'Check the id with list_webhooks.',
  conflict: 'Read the state again and decide anew; the same call will be refused again.',
  invalid_transition: 'Read the task with get_task; change_task_status goes one step of the table at a time.',
  blocked_by_dependencies:
    'Wait for the tasks named, with wait_for_task_completion and terminal_statuses ["done"].',
  dependencies_not_found: 'Check the ids with list_tasks: dependencies are tasks of the same team.',
  dependencies_fixed: 'Work on the task has begun: make another task that depends on both instead.',
  review_decided: 'The review is over: ask for another with request_review.',
  review_required: 'The task must pass review: ask for one with request_review and wait.',
  reviewer_is_author: 'Leave the verdict to somebody who did not do the work.',
  human_request_closed: 'It was answered or has expired: nothing is left to do.',
  convention_exists: 'Choose another key.',
  task_not_archivable: 'Only done and cancelled tasks can be archived.',
  agent_not_idle: 'Wait until its task has changed (wait_for_task), or give the work to another agent.',
  run_not_current:
    'Stop working on the task now and change nothing more: the run is over, and another may have the task. With the runtime pull, ask for new work with claim_work.',
  version_conflict: 'Somebody else changed it: read it again and repeat your change on what it is now.',
  slug_taken: 'Choose another slug.',
  name_taken: 'Choose another name, or use what has this name already.',
  payload_too_large: 'Send less at once.',
  validation_failed: 'Correct the arguments named in errors and call again.',
  dependency_cycle: 'A task cannot wait for itself: leave out one of the dependencies.',
  dependency_invalid: 'Check the dependencies: places must lie in the list, tasks in the same team.',
  rate_limited: 'Wait before you call again.',
  service_unavailable: 'Wait a few seconds and call again.',
  internal_error: 'Call again once; if it fails again, tell a person the request_id.',
};

export function adviceFor(code: string | undefined, retryAfter: string | undefined): string | null {
  const advice = ADVICE[code as ErrorCode];
  const wait = retryAfter === undefined ? null : `Retry after ${retryAfter} s.`;
  return [advice, wait].filter(Boolean).join(' ') || null;
}
