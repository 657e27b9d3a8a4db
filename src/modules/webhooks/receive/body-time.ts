/** `updated_at`, `pushed_at`, `created_at`, `submitted_at`, `completed_at` and their like. */
const FIELD = Buffer.from('ed_at":');
const MAX_FIELDS = 64;
const MAX_SECONDS = Date.UTC(9999) / 1000;
const QUOTE = 0x22;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

/**
 * The newest of the times at which, as a body itself says, what it tells of was changed; 1970 where it says none. GitHub
 * writes them as RFC 3339 with a Z, in a push also as Unix seconds. The same bytes give the same time, whatever the headers
 * call them. It places the body in the index of `delivery_keys`: a hash alone would go to another page each time, which
 * after every checkpoint is read, and written to the WAL whole.
 */
export function bodyTime(body: Buffer): Date {
  let text = '';
  let seconds = 0;
  let at = body.indexOf(FIELD);
  for (let seen = 0; at >= 0 && seen < MAX_FIELDS; seen += 1) {
    const start = at + FIELD.length;
    if (body[start] === QUOTE) {
      const given = body.toString('latin1', start + 1, start + 21);
      if (given > text && TIME.test(given)) text = given;
    } else {
      const given = Number.parseInt(body.toString('latin1', start, start + 20), 10);
      if (given > seconds && given < MAX_SECONDS) seconds = given;
    }
    at = body.indexOf(FIELD, start);
  }
  return new Date(Math.max(Date.parse(text) || 0, seconds * 1000));
}
