import { v7 } from 'uuid';

/** A UUID version 7 (RFC 9562): unique everywhere and ordered by the time it was made. */
export const newId = (): string => v7();

/** The moment, in milliseconds since the epoch, that a UUID version 7 carries; null for any other string. */
export function idTime(id: string): Date | null {
  if (!/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i.test(id)) return null;
  return new Date(Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16));
}
