import { type TrustLevel } from '../webhook-config.js';
import { type JsonObject, objectField, textField } from './json-fields.js';

const MEMBERS = new Set(['OWNER', 'MEMBER', 'COLLABORATOR']);
const OUTSIDERS = new Set(['NONE', 'FIRST_TIMER', 'FIRST_TIME_CONTRIBUTOR', 'MANNEQUIN']);

/** Whether work on what this author wrote starts at once. A bot below a member is no contributor. */
export function isTrusted(level: TrustLevel, item: JsonObject | null): boolean {
  if (level === 'anyone') return true;
  const association = textField(item, 'author_association', 50)?.toUpperCase() ?? 'NONE';
  if (MEMBERS.has(association)) return true;
  return level === 'contributors' && !OUTSIDERS.has(association) && !isBot(objectField(item, 'user'));
}

const isBot = (user: JsonObject | null): boolean =>
  textField(user, 'type', 20) === 'Bot' || (textField(user, 'login', 255)?.endsWith('[bot]') ?? false);
