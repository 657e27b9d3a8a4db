import { type SourceAction, type SourceItem } from '../../tasks/source-change.js';
import {
  countField,
  flagField,
  isJsonObject,
  type JsonObject,
  listField,
  objectField,
  textField,
  timeField,
} from './json-fields.js';

/** Actions of `issues` and `pull_request` events that say something about a task. */
const ACTIONS = new Set<string>([
  'opened',
  'labeled',
  'unlabeled',
  'edited',
  'closed',
  'reopened',
  'deleted',
  'transferred',
  'ready_for_review',
  'converted_to_draft',
] satisfies SourceAction[]);

const MAX_INT = 2_147_483_647;
const MAX_LABELS = 1_000;
/** GitHub allows 65,536 characters. */
const MAX_BODY = 262_144;
const MAX_TITLE = 4_096;
const MAX_NAME = 255;

export const sourceAction = (action: string | null): SourceAction | null =>
  action !== null && ACTIONS.has(action) ? (action as SourceAction) : null;

/**
 * The key that makes one issue one task: `github.com/repositories/<id>/issues/<number>`, by GitHub's numeric id because
 * names change. Null where the payload does not say which item of which repository it is.
 */
export function sourceKey(
  repository: JsonObject | null,
  kind: SourceItem['kind'],
  number: number | null,
): string | null {
  const id = countField(repository, 'id', Number.MAX_SAFE_INTEGER);
  if (id === null || number === null) return null;
  return `${hostOf(repository)}/repositories/${id}/${kind === 'issue' ? 'issues' : 'pulls'}/${number}`;
}

function hostOf(repository: JsonObject | null): string {
  const url = textField(repository, 'html_url', 2_000) ?? '';
  return URL.canParse(url) ? new URL(url).host || 'github.com' : 'github.com';
}

/** The issue or pull request of a payload, its text as it came; `fallbackKey` names it where the payload cannot. */
export function mapItem(kind: SourceItem['kind'], payload: JsonObject, fallbackKey: string): SourceItem {
  const item = objectField(payload, kind);
  const repository = objectField(payload, 'repository');
  const number = countField(item, 'number', MAX_INT) ?? countField(payload, 'number', MAX_INT);
  return {
    key: sourceKey(repository, kind, number) ?? fallbackKey,
    kind,
    repository_id: countField(repository, 'id', Number.MAX_SAFE_INTEGER),
    repository: textField(repository, 'full_name', MAX_NAME),
    number,
    url: textField(item, 'html_url', 2_000),
    title: textField(item, 'title', MAX_TITLE) ?? '',
    body: textField(item, 'body', MAX_BODY) ?? '',
    labels: listField(item, 'labels')
      .slice(0, MAX_LABELS)
      .flatMap((label) => labelName(label) ?? []),
    author: textField(objectField(item, 'user'), 'login', MAX_NAME),
    author_association: textField(item, 'author_association', 50),
    state: textField(item, 'state', 20) === 'closed' ? 'closed' : 'open',
    state_reason: textField(item, 'state_reason', 50),
    draft: flagField(item, 'draft') ?? false,
    updated_at: timeField(item, 'updated_at'),
  };
}

/** Labels are objects; some senders give the bare name. */
export function labelName(label: unknown): string | null {
  if (typeof label === 'string') return textField({ name: label }, 'name', MAX_NAME);
  return isJsonObject(label) ? textField(label, 'name', MAX_NAME) : null;
}

/** The key an item had (`opened` after a transfer) or has now (`transferred`) in another repository. */
export function otherKey(kind: SourceItem['kind'], action: SourceAction, payload: JsonObject): string | null {
  const side = action === 'opened' ? 'old' : action === 'transferred' ? 'new' : null;
  if (side === null || kind !== 'issue') return null;
  const changes = objectField(payload, 'changes');
  const number = countField(objectField(changes, `${side}_issue`), 'number', MAX_INT);
  return sourceKey(objectField(changes, `${side}_repository`), kind, number);
}
