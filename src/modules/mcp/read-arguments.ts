import { DomainError } from '../../errors/domain-error.js';
import { type Identity } from '../auth/identity.js';
import { type JsonSchema } from './json-schema.js';
import { withOwnArguments } from './own-arguments.js';
import { RouteRefused } from './tool-call.js';
import { type OfferedTool } from './tool-catalog.js';

/**
 * The arguments of a call, with their defaults. Models write numbers as text and null for nothing: both are taken as
 * they are meant, as the routes do.
 * @throws RouteRefused as the route would refuse them
 */
export function readArguments(
  { tool, listed: { inputSchema } }: OfferedTool,
  identity: Identity,
  given: Record<string, unknown>,
): Record<string, unknown> {
  const meant = Object.fromEntries(
    Object.entries(given).flatMap(([name, value]) => {
      const schema = inputSchema.properties?.[name];
      return value === null && schema?.type !== undefined ? [] : [[name, asMeant(schema, value)]];
    }),
  );
  const read = tool.input.safeParse(withOwnArguments(identity, inputSchema.required ?? [], meant));
  if (read.success) return read.data;
  const errors = read.error.issues.map(({ path, message }) => ({ field: path.join('.'), message }));
  const detail = `Validation failed: ${errors.map(({ field }) => field).join(', ')}`;
  throw RouteRefused.as(new DomainError('validation_failed', detail, { errors }));
}

function asMeant(schema: JsonSchema | undefined, value: unknown): unknown {
  if (typeof value !== 'string') return value;
  if (schema?.type === 'integer' || schema?.type === 'number')
    return /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : value;
  if (schema?.type === 'boolean' && /^(true|false)$/i.test(value)) return /^true$/i.test(value);
  return value;
}
