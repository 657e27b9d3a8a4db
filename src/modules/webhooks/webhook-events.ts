import { type FieldError } from '../../errors/domain-error.js';
import { GITHUB_EVENTS } from './github-events.js';

/** What a webhook listens to when it is made without `events`. */
export const DEFAULT_EVENTS = ['issues', 'pull_request'];

/** Names that stand for the two events that matter most: how an item begins and how it ends. */
const SHORT_FORMS: Readonly<Record<string, readonly string[]>> = {
  issues: ['issues.opened', 'issues.closed'],
  pull_request: ['pull_request.opened', 'pull_request.merged'],
};

function isKnown(name: string): boolean {
  if (name === '*') return true;
  const dot = name.indexOf('.');
  const event = dot < 0 ? name : name.slice(0, dot);
  if (!Object.hasOwn(GITHUB_EVENTS, event)) return false;
  const actions = GITHUB_EVENTS[event] ?? [];
  const action = dot < 0 ? '*' : name.slice(dot + 1);
  return action === '*' || actions.includes(action) || (actions.length === 0 && action !== '');
}

/** Writes `events` out in full, without repeats. Faults name the entry: a typo would make a webhook that never acts. */
export function normaliseEvents(given: string[]): { events: string[]; faults: FieldError[] } {
  const names = given.map((name) => name.trim());
  const faults = names.flatMap((name, index) =>
    isKnown(name)
      ? []
      : [{ field: `events.${index}`, message: 'must be a GitHub event, event.action, event.* or *' }],
  );
  return { events: [...new Set(names.flatMap((name) => SHORT_FORMS[name] ?? [name]))], faults };
}

/**
 * Whether a webhook that listens to `events` wants this one.
 * @param type `issues.opened`, `push`; of a merged pull request `pull_request.merged`, which is also a `closed` one
 */
export function listensTo(events: readonly string[], type: string): boolean {
  const [event = ''] = type.split('.', 1);
  const also = type === 'pull_request.merged' ? 'pull_request.closed' : type;
  return events.some((wanted) => [type, also, event, `${event}.*`, '*'].includes(wanted));
}
