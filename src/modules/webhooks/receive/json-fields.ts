/** A JSON object whose fields nobody has checked yet. */
export type JsonObject = Record<string, unknown>;

export const isJsonObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Own fields only: `__proto__` or `constructor` of a payload is never taken for one. */
const field = (from: JsonObject | null, name: string): unknown =>
  from !== null && Object.hasOwn(from, name) ? from[name] : undefined;

export function objectField(from: JsonObject | null, name: string): JsonObject | null {
  const value = field(from, name);
  return isJsonObject(value) ? value : null;
}

export function listField(from: JsonObject | null, name: string): unknown[] {
  const value = field(from, name);
  return Array.isArray(value) ? value : [];
}

/** Text without what PostgreSQL cannot store: NUL and halves of surrogate pairs. Longer than `max` is cut. */
export function textField(from: JsonObject | null, name: string, max: number): string | null {
  const value = field(from, name);
  return typeof value === 'string' ? value.slice(0, max).replaceAll('\0', '').toWellFormed() : null;
}

export function flagField(from: JsonObject | null, name: string): boolean | null {
  const value = field(from, name);
  return typeof value === 'boolean' ? value : null;
}

/** A whole number from 1 to `max`; anything else is null. */
export function countField(from: JsonObject | null, name: string, max: number): number | null {
  const value = field(from, name);
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= max ? value : null;
}

export function timeField(from: JsonObject | null, name: string): Date | null {
  const text = textField(from, name, 40);
  const time = text === null ? null : new Date(text);
  // PostgreSQL's range is wider, but a year of five digits is nobody's clock.
  return time !== null && time.getTime() >= 0 && time.getUTCFullYear() <= 9999 ? time : null;
}
