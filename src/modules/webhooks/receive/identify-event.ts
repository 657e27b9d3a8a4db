import { DomainError } from '../../../errors/domain-error.js';
import { flagField, type JsonObject, objectField, textField } from './json-fields.js';

const NAME = /^[\x21-\x7e]{1,100}$/;
const GUID = /^[\x21-\x7e]{1,200}$/;

export interface EventName {
  event: string;
  action: string | null;
  /** `issues.opened`, `push`; a pull request closed by merging is `pull_request.merged`. */
  type: string;
}

/** The name in `X-GitHub-Event`, else in `X-Event-Type`, else `unknown`. */
export function eventHeader(headers: Record<string, string>): string {
  const name = headers['x-github-event'] || headers['x-event-type'] || 'unknown';
  if (!NAME.test(name)) throw new DomainError('bad_request', 'The event name in the headers is not valid');
  return name;
}

/** What makes a delivery the same when it comes again: `X-GitHub-Delivery`, else the hash of its body. */
export function guidOf(headers: Record<string, string>, body_sha256: Buffer): string {
  const guid = headers['x-github-delivery'] || body_sha256.toString('hex');
  if (!GUID.test(guid)) throw new DomainError('bad_request', 'X-GitHub-Delivery is not valid');
  return guid;
}

/** As `guidOf`, for the log: a GUID that is not valid is not taken. */
export function claimedGuid(headers: Record<string, string>, body_sha256: Buffer): string {
  const guid = headers['x-github-delivery'] ?? '';
  return GUID.test(guid) ? guid : body_sha256.toString('hex');
}

/** As `eventHeader` without the payload: what the log calls a body that was not parsed. */
export function claimedEvent(headers: Record<string, string>): string {
  const name = headers['x-github-event'] || headers['x-event-type'] || 'unknown';
  return NAME.test(name) ? name : 'unknown';
}

/** A custom integration may put the action into the header: `issues.opened`. */
export function identifyEvent(header: string, payload: JsonObject): EventName {
  const dot = header.indexOf('.');
  const event = dot < 0 ? header : header.slice(0, dot);
  const said = textField(payload, 'action', 100);
  const action = said !== null && NAME.test(said) ? said : dot < 0 ? null : header.slice(dot + 1) || null;
  const merged =
    event === 'pull_request' &&
    action === 'closed' &&
    flagField(objectField(payload, 'pull_request'), 'merged') === true;
  return {
    event,
    action,
    type: merged ? 'pull_request.merged' : action === null ? event : `${event}.${action}`,
  };
}

/**
 * Event and body must fit, roughly: enough that a pull request is never taken for an issue.
 * @throws DomainError `event_body_mismatch`
 */
export function assertFits({ event }: EventName, payload: JsonObject): void {
  const fits =
    event === 'issues'
      ? textField(objectField(payload, 'issue'), 'title', 1) !== null
      : event === 'pull_request'
        ? objectField(payload, 'pull_request') !== null
        : event === 'ping'
          ? textField(payload, 'zen', 1) !== null
          : true;
  if (!fits) throw new DomainError('event_body_mismatch', `The body is not that of a "${event}" event`);
}
