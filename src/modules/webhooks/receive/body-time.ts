const FIELDS = ['"updated_at":', '"pushed_at":'].map((name) => Buffer.from(name));
const MAX_FIELDS = 32;
const MAX_SECONDS = Date.UTC(9999) / 1000;
/** As GitHub writes a time: RFC 3339 with a Z, and in a push also Unix seconds. */
const VALUE = /^(?:"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)"|(\d{1,12})[,}])/;

/**
 * The newest of the times at which, as a body itself says, what it tells of was changed; 1970 where it says none. The same
 * bytes give the same time, whatever the headers call them. It places the body in the index of `delivery_keys`: a hash
 * alone would go to another page each time, which after every checkpoint is read, and written to the WAL whole.
 */
export function bodyTime(body: Buffer): Date {
  let newest = 0;
  for (const field of FIELDS) {
    let at = body.indexOf(field);
    for (let seen = 0; at >= 0 && seen < MAX_FIELDS; seen += 1) {
      const start = at + field.length;
      newest = Math.max(newest, secondsIn(body.toString('latin1', start, start + 22)));
      at = body.indexOf(field, start);
    }
  }
  return new Date(newest * 1000);
}

function secondsIn(text: string): number {
  const [, time, unix] = VALUE.exec(text) ?? [];
  const seconds = time === undefined ? Number(unix ?? 0) : Date.parse(time) / 1000;
  return seconds > 0 && seconds < MAX_SECONDS ? seconds : 0;
}
