import { type HookFacts } from '../webhook.entity.js';
import { type EventName } from './identify-event.js';
import { countField, flagField, type JsonObject, listField, objectField, textField } from './json-fields.js';

const MAX_EVENTS = 300;

/**
 * What a delivery tells about the hook on GitHub's side: `ping` everything, any other at least that a repository is
 * public. Null when it tells nothing new.
 */
export function learnFacts(
  known: HookFacts | null,
  { event }: EventName,
  payload: JsonObject,
  now: Date,
): HookFacts | null {
  const repository_private = flagField(objectField(payload, 'repository'), 'private');
  if (event !== 'ping') {
    if (repository_private !== false || known?.repository_private === false) return null;
    return {
      ...(known ?? { hook_id: null, events: [], content_type: null, insecure_ssl: false, pinged_at: null }),
      repository_private,
    };
  }
  const hook = objectField(payload, 'hook');
  const config = objectField(hook, 'config');
  const insecure = config !== null && Object.hasOwn(config, 'insecure_ssl') ? config['insecure_ssl'] : '0';
  return {
    hook_id: countField(payload, 'hook_id', Number.MAX_SAFE_INTEGER),
    events: listField(hook, 'events')
      .slice(0, MAX_EVENTS)
      .flatMap((name) => textField({ name }, 'name', 100) ?? []),
    content_type: textField(config, 'content_type', 50),
    insecure_ssl: insecure === '1' || insecure === 1 || insecure === true,
    repository_private: repository_private ?? known?.repository_private ?? null,
    hook_type: textField(hook, 'type', 50),
    repository: textField(objectField(payload, 'repository'), 'full_name', 255),
    organization: textField(objectField(payload, 'organization'), 'login', 255),
    pinged_at: now.toISOString(),
  };
}
