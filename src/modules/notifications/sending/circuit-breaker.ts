import { type OutboundWebhookState } from '../outbound-webhook-state.entity.js';

const WINDOW_MS = 5 * 60_000;
const MIN_REQUESTS = 10;
const FAILURE_RATE = 0.7;
const MAX_CONNECTION_ERRORS = 5;
const OPEN_MS = 30_000;
const MAX_OPEN_MS = 600_000;
const DISABLE_MS = 5 * 24 * 3_600_000;
/** Failures further apart than this are not one row of failures. */
const ROW_MS = 24 * 3_600_000;
const WARN_AT = [50, 70, 90, 100];

/** How a call went, as far as the receiver's health is concerned. */
export type CallResult = 'success' | 'failure' | 'connection_error';

export type BreakerState = Pick<
  OutboundWebhookState,
  | 'window_started_at'
  | 'window_requests'
  | 'window_failures'
  | 'connection_errors'
  | 'times_opened'
  | 'open_until'
  | 'failing_since'
  | 'warned_percent'
  | 'last_success_at'
  | 'last_failure_at'
  | 'last_error'
>;

/** When a receiver that has failed since then is disabled. */
export const disabledFrom = (failing_since: Date): Date => new Date(failing_since.getTime() + DISABLE_MS);

/**
 * The state after a call. The breaker opens when most of at least ten calls within five minutes failed, or five
 * connections in a row; then one call may probe after 30 s, and after each failed probe after twice as long, up to ten
 * minutes. A success closes it.
 */
export function afterCall<State extends BreakerState>(
  state: State,
  result: CallResult,
  error: string | null,
  now: Date,
): State {
  const isFailure = result !== 'success';
  const fresh =
    state.window_started_at === null || now.getTime() - state.window_started_at.getTime() > WINDOW_MS;
  const window = {
    window_started_at: fresh ? now : state.window_started_at,
    window_requests: (fresh ? 0 : state.window_requests) + 1,
    window_failures: (fresh ? 0 : state.window_failures) + (isFailure ? 1 : 0),
  };
  if (!isFailure)
    return {
      ...state,
      ...window,
      connection_errors: 0,
      times_opened: 0,
      open_until: null,
      failing_since: null,
      warned_percent: 0,
      last_success_at: now,
    };
  const connection_errors = result === 'connection_error' ? state.connection_errors + 1 : 0;
  const failed = {
    ...state,
    ...window,
    connection_errors,
    failing_since: isOneRow(state, now) ? state.failing_since : now,
    last_failure_at: now,
    last_error: error,
  };
  return shouldOpen(failed, now) ? opened(failed, now) : failed;
}

/** An open breaker hears of calls that began before it opened: they say nothing new. */
function shouldOpen(state: BreakerState, now: Date): boolean {
  if (state.open_until !== null) return state.open_until <= now;
  if (state.connection_errors >= MAX_CONNECTION_ERRORS) return true;
  return (
    state.window_requests >= MIN_REQUESTS && state.window_failures >= FAILURE_RATE * state.window_requests
  );
}

function opened<State extends BreakerState>(state: State, now: Date): State {
  const open_ms = Math.min(MAX_OPEN_MS, OPEN_MS * 2 ** Math.min(state.times_opened, 10));
  return {
    ...state,
    times_opened: state.times_opened + 1,
    open_until: new Date(now.getTime() + open_ms),
    window_started_at: null,
  };
}

const isOneRow = ({ failing_since, last_failure_at }: BreakerState, now: Date): boolean =>
  failing_since !== null && last_failure_at !== null && now.getTime() - last_failure_at.getTime() <= ROW_MS;

/** How much of the time after which a failing receiver is disabled has passed, as the last step that is warned of. */
export function failingPercent({ failing_since }: BreakerState, now: Date): number {
  if (failing_since === null) return 0;
  const percent = ((now.getTime() - failing_since.getTime()) / DISABLE_MS) * 100;
  return WARN_AT.findLast((step) => percent >= step) ?? 0;
}
