import { createServer, type IncomingMessage } from 'node:http';
import { type AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { type Callers } from './callers.js';

/** The time in which an agent knew that a run was its own. */
export interface Work {
  run_id: string;
  task_id: number;
  agent_id: string;
  from: number;
  /** When it was done, or its lease could have been over. */
  to: number;
}

interface Assigned {
  id: string;
  task_id: number;
  agent_id: string;
  fencing_token: number;
  lease_seconds: number;
}

const BEATS = 2;

/**
 * Agents of the `http` runtime behind one address. Each works only while it knows that its lease lasts: counted from
 * before it asked for it.
 */
export async function startHttpAgents(callers: Callers, key: string, random: () => number) {
  const work: Work[] = [];
  const underWay = new Set<Promise<void>>();

  const carryOut = async (run: Assigned): Promise<void> => {
    const report = (what: string, more: object): Promise<{ status: number }> =>
      callers.insist(
        `/api/v1/runs/${run.id}/${what}`,
        { fencing_token: run.fencing_token, ...more },
        { 'X-API-Key': key },
      );
    const span: Work = { run_id: run.id, task_id: run.task_id, agent_id: run.agent_id, from: 0, to: 0 };
    for (let beat = 1; beat <= BEATS; beat += 1) {
      const asked = Date.now();
      if ((await report('heartbeat', { progress: `part ${beat}` })).status !== 200) return;
      const known = Date.now();
      const sure = asked + run.lease_seconds * 1000;
      if (sure <= known) return;
      if (beat === 1) work.push(Object.assign(span, { from: known }));
      span.to = sure;
      await delay(20 + random() * 120);
    }
    span.to = Math.min(span.to, Date.now());
    await report('finish', { status: 'succeeded', summary: 'done' });
  };

  const server = createServer((request, response) => {
    void read(request).then((body) => {
      response.writeHead(202).end();
      const working = carryOut(JSON.parse(body).run)
        .catch(() => undefined)
        .finally(() => underWay.delete(working));
      underWay.add(working);
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    work,
    close: async (): Promise<void> => {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
      await Promise.all(underWay);
    },
  };
}

async function read(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
