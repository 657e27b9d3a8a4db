// Loaded before a service (`--import`), gives its process a clock that goes wrong: on SIGUSR2, and at the start, it is off
// by the milliseconds in the file CLOCK_OFFSET. Timers run on, as they do when a machine's clock is set.
import { readFileSync } from 'node:fs';

const RealDate = Date;
let offset = 0;
const now = () => RealDate.now() + offset;

globalThis.Date = new Proxy(RealDate, {
  construct: (target, values, made) => Reflect.construct(target, values.length > 0 ? values : [now()], made),
  apply: () => new RealDate(now()).toString(),
  get: (target, name) => (name === 'now' ? now : Reflect.get(target, name)),
});
RealDate.prototype.constructor = globalThis.Date;

const read = () => {
  offset = Number(readFileSync(process.env.CLOCK_OFFSET, 'utf8'));
  process.stderr.write(`clock off by ${offset} ms\n`);
};
read();
process.on('SIGUSR2', read);
