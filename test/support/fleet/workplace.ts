import supertest from 'supertest';
import { makeAgent, makeApiKey, makeOrganization, makeTeam } from '../../factories/accounts.js';
import { makeOutboundWebhook } from '../../factories/outbound.js';
import { makeWebhook, type TestWebhook } from '../../factories/webhooks.js';
import { connectTo } from '../database.js';
import { type Receiver, startReceiver } from '../receiver.js';
import { TEST_SETTINGS, type TestService } from '../service.js';
import { type Callers } from './callers.js';
import { startHttpAgents, type Work } from './http-agents.js';

/** What processes need to serve a workplace; the programs of its agents are in `commands`. */
export const workplaceSettings = (commands: string): Record<string, string> => ({
  ENTOURAGE_JWT_SECRET: TEST_SETTINGS.ENTOURAGE_JWT_SECRET!,
  ENTOURAGE_ENCRYPTION_KEY: TEST_SETTINGS.ENTOURAGE_ENCRYPTION_KEY!,
  ENTOURAGE_COMMANDS_FILE: commands,
  ENTOURAGE_OUTBOUND_ALLOW_CIDRS: '127.0.0.0/8',
  ENTOURAGE_RUN_BACKOFF_SECONDS: '0',
  ENTOURAGE_RUN_MAX_ATTEMPTS: '100',
  ENTOURAGE_RATE_LIMIT_PER_MINUTE: '0',
  ENTOURAGE_LOG_LEVEL: 'warn',
});

/** A team all of whose work goes the whole way: agents, somebody who approves, and an outside system that is told. */
export interface Workplace {
  hook: TestWebhook;
  receiver: Receiver;
  /** Of the agents behind an URL. */
  work: Work[];
  /** Whoever approves has nothing under way any more. */
  approved(): Promise<void>;
  close(): Promise<void>;
}

export async function makeWorkplace(
  database_url: string,
  callers: Callers,
  random: () => number,
  /** How many agents of each runtime; those of `command` run the program "work". */
  { http, command }: { http: number; command: number },
): Promise<Workplace> {
  const receiver = await startReceiver();
  const db = await connectTo(database_url);
  try {
    const org = await makeOrganization(db);
    const team = await makeTeam(db, org.id);
    const { key } = await makeApiKey(db, org.id);
    const agents = await startHttpAgents(callers, key, random);
    const service = { http: supertest(callers.url ?? '') } as unknown as TestService;
    for (let n = 0; n < http; n += 1)
      await service.http
        .post(`/api/v1/teams/${team.id}/agents`)
        .set('X-API-Key', key)
        .send({ name: `remote-${n}`, runtime: 'http', runtime_config: { url: agents.url } })
        .expect(201);
    for (let n = 0; n < command; n += 1)
      await makeAgent(db, team, { runtime: 'command', runtime_config: { command: 'work' } });
    const hook = await makeWebhook(service, key, {
      org_id: org.id,
      team_id: team.id,
      config: { auto_assign: true },
    });
    await makeOutboundWebhook(service, key, {
      org_id: org.id,
      url: receiver.url,
      max_concurrency: 20,
      rate_per_second: 10_000,
    });
    return {
      hook,
      receiver,
      work: agents.work,
      approved: approveWhatIsToldOf(receiver, callers, key),
      close: async () => {
        await agents.close();
        await receiver.close();
      },
    };
  } finally {
    await db.destroy();
  }
}

/** Long enough that a sender may die before it has its answer. */
const ANSWER_MS = 20;

/** Takes every task from review to its end, as a person does who is told that it waits for one. */
function approveWhatIsToldOf(receiver: Receiver, callers: Callers, key: string): () => Promise<void> {
  const told = new Set<number>();
  const approvals: Promise<unknown>[] = [];
  const approve = async (task_id: number): Promise<void> => {
    for (const status of ['in_approval', 'merging', 'done'])
      await callers.insist(`/api/v1/tasks/${task_id}/status`, { status }, { 'X-API-Key': key });
  };
  receiver.answer((_, response, { json }) => {
    setTimeout(() => response.writeHead(200).end(), ANSWER_MS);
    if (json.event !== 'review.requested' || told.has(json.task_id)) return;
    told.add(json.task_id);
    approvals.push(approve(json.task_id).catch(() => undefined));
  });
  return async () => void (await Promise.all(approvals));
}
