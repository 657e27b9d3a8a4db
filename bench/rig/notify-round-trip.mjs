import { summary } from './numbers.mjs';

const EVERY_MS = 20;

/**
 * PostgreSQL's own NOTIFY: from sending it on one connection to hearing of it on another, one at a time.
 * @returns starts measuring; the function it gives back ends that and tells the times.
 */
export async function notifyRoundTrip(rig, database) {
  const [listener, sender] = [await rig.client(database), await rig.client(database)];
  await listener.query('LISTEN round_trip');
  let heard = () => undefined;
  listener.on('notification', () => heard());
  return () => {
    const times = [];
    const ending = new AbortController();
    const measuring = (async () => {
      while (!ending.signal.aborted) {
        const began = performance.now();
        const arrival = new Promise((done) => (heard = done));
        await sender.query(`SELECT pg_notify('round_trip', '')`);
        await arrival;
        times.push(performance.now() - began);
        await new Promise((done) => setTimeout(done, EVERY_MS));
      }
    })();
    return async () => {
      ending.abort();
      await measuring;
      return summary(times);
    };
  };
}
