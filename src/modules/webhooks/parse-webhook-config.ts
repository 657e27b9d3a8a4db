import { type FieldError } from '../../errors/domain-error.js';
import { isStorable } from '../../http/fields.js';
import { AGENT_ROLES } from '../agents/agent.entity.js';
import { TASK_PRIORITIES } from '../tasks/task.entity.js';
import { isJsonObject } from './receive/json-fields.js';
import { TRUST_LEVELS, type WebhookConfig } from './webhook-config.js';

const LIFECYCLES = ['create', 'sync'];
const MAX_LABELS = 100;
const MAX_LABEL = 100;
/** GitHub's own limit. */
const MAX_GITHUB_LABEL = 50;

const oneOf =
  (allowed: readonly string[]) =>
  (value: unknown): string | null =>
    typeof value === 'string' && allowed.includes(value) ? null : `must be one of ${allowed.join(', ')}`;

/** For each key of `WebhookConfig`: what is wrong with a value, or null. */
const CHECKS: Record<keyof WebhookConfig, (value: unknown) => string | null> = {
  auto_assign: (value) => (typeof value === 'boolean' ? null : 'must be true or false'),
  auto_assign_role: oneOf(AGENT_ROLES),
  repository: (value) =>
    (typeof value === 'string' && /^[\w.-]{1,100}\/[\w.-]{1,100}$/.test(value)) ||
    (Number.isSafeInteger(value) && Number(value) > 0)
      ? null
      : 'must be owner/name or the numeric id of a repository',
  label_priorities: (value) => {
    if (!isJsonObject(value)) return 'must be an object of label: priority';
    const labels = Object.entries(value);
    if (labels.length > MAX_LABELS) return `must have at most ${MAX_LABELS} labels`;
    if (labels.some(([label]) => label.trim() === '' || label.length > MAX_LABEL))
      return `labels must have 1 to ${MAX_LABEL} characters`;
    const check = oneOf(TASK_PRIORITIES);
    return labels.some(([, priority]) => check(priority) !== null)
      ? `priorities must be one of ${TASK_PRIORITIES.join(', ')}`
      : null;
  },
  trust: oneOf(TRUST_LEVELS),
  lifecycle: oneOf(LIFECYCLES),
  write_back: (value) => {
    if (typeof value === 'boolean') return null;
    if (!isJsonObject(value)) return 'must be true, false or an object with close and label';
    const unknown = Object.keys(value).find((key) => key !== 'close' && key !== 'label');
    if (unknown !== undefined) return 'has the keys close and label only';
    const { close, label } = value;
    if (close !== undefined && typeof close !== 'boolean') return 'close must be true or false';
    return label === undefined ||
      (typeof label === 'string' && isStorable(label) && isLabelLength(Array.from(label.trim()).length))
      ? null
      : `label must be a text of 1 to ${MAX_GITHUB_LABEL} characters`;
  },
};

const isLabelLength = (length: number): boolean => length >= 1 && length <= MAX_GITHUB_LABEL;

/** Checks `config` strictly: a mistyped key would silently leave a rule off. A null value counts as left out. */
export function parseWebhookConfig(given: Record<string, unknown>): {
  config: WebhookConfig;
  faults: FieldError[];
} {
  const entries = Object.entries(given).filter(([, value]) => value !== null);
  const faults = entries.flatMap(([key, value]) => {
    const message = Object.hasOwn(CHECKS, key)
      ? CHECKS[key as keyof WebhookConfig](value)
      : `is not a key of config; there are ${Object.keys(CHECKS).join(', ')}`;
    return message === null ? [] : [{ field: `config.${key}`, message }];
  });
  return { config: Object.fromEntries(entries), faults };
}
