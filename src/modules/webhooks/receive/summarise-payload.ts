import { type EventName } from './identify-event.js';
import { countField, type JsonObject, listField, objectField, textField } from './json-fields.js';

const MAX_INT = 2_147_483_647;

/** A few words about a payload, for lists of deliveries. */
export function summarise({ event, action }: EventName, payload: JsonObject): Record<string, unknown> {
  const item = objectField(payload, 'issue') ?? objectField(payload, 'pull_request');
  const entries: [string, unknown][] = [
    ['action', action],
    ['repository', textField(objectField(payload, 'repository'), 'full_name', 255)],
    ['sender', textField(objectField(payload, 'sender'), 'login', 255)],
    ['number', countField(item, 'number', MAX_INT)],
    ['title', textField(item, 'title', 200)],
    ['url', textField(item, 'html_url', 500)],
    ['label', textField(objectField(payload, 'label'), 'name', 255)],
    ...(event === 'push'
      ? ([
          ['ref', textField(payload, 'ref', 255)],
          ['commits', listField(payload, 'commits').length],
        ] as [string, unknown][])
      : []),
    ...(event === 'ping' ? ([['zen', textField(payload, 'zen', 200)]] as [string, unknown][]) : []),
  ];
  return Object.fromEntries(entries.filter(([, value]) => value !== null));
}

export const pushAction = (payload: JsonObject): string =>
  `push to ${textField(payload, 'ref', 255) ?? 'unknown'}: ${listField(payload, 'commits').length} commit(s)`;
