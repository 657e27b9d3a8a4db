import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import supertest, { type Response } from 'supertest';
import { type DataSource } from 'typeorm';
import { makeAgent, makeApiKey, makeTeam } from '../factories/accounts.js';
import { makeTenant, MARK, MARK_OF_TEAM, type Tenant } from '../factories/victim.js';
import { startBuiltService } from '../support/built-service.js';
import { connectTo, createTestDatabase, type TestDatabase } from '../support/database.js';
import { asUser, withKey } from '../support/login.js';
import { type Document, type Operation, operationsOf, resolved, type Schema } from '../support/openapi.js';
import { startTestService } from '../support/service.js';

/**
 * Tenancy is absolute. Every route of the OpenAPI document of the running service, also one that is added tomorrow, is
 * called by strangers who know all ids of a victim, in path, query and body. They find nothing and change nothing.
 *
 * The rule that makes this work: a parameter is named after what it identifies (`org_id`, `team_id`, `agent_id`,
 * `repo_id`, `webhook_id`, `delivery_id`, `task_id`, `message_id`, `run_id`, `user_id`, `key_id`, …), never a bare `id`. A
 * route with a parameter that no id of the victim is known for fails here: give the tenant of test/factories/victim.ts
 * one of the new kind.
 */

/** Routes without a credential; `receive` is authenticated by its signature. */
const PUBLIC = [
  'POST /api/v1/auth/register',
  'POST /api/v1/auth/login',
  'POST /api/v1/auth/refresh',
  'POST /api/v1/webhooks/{webhook_id}/receive',
  'GET /api/v1/health',
  'GET /api/v1/health/live',
  'GET /api/v1/health/ready',
  'GET /api/v1/health/detailed',
  'GET /metrics',
];

/** Not in the document. */
const UNDOCUMENTED = /^\w[\w-]* \/(docs|docs-json|docs-yaml|docs\/.*|metrics|mcp)$/;

/** Lists that are empty, by contract, for what does not exist: a stranger gets the same answer as for no id at all. */
const EMPTY_FOR_UNKNOWN = ['GET /api/v1/tasks/{task_id}/events'];

/** Fields of bodies and queries that hold ids under other names: of what they are the id. */
const ALIASES: Record<string, string> = {
  assignee_id: 'agent_id',
  dri_id: 'agent_id',
  recipient_id: 'agent_id',
  sender_id: 'agent_id',
  actor_id: 'user_id',
  reviewer_id: 'user_id',
  author_id: 'user_id',
  depends_on: 'task_id',
  parent_id: 'task_id',
};

/** Values that a field's schema does not tell. */
const SAMPLES: Record<string, unknown> = {
  slug: 'stranger',
  local_path: 'stranger',
  path: 'README',
  events: ['issues'],
  depends_on_indices: [],
  config: {},
  runtime_config: {},
  recipient_type: 'agent',
  sender_type: 'agent',
  reviewer_type: 'user',
  commit: 'abcdef1',
};

const nameOf = ({ method, path }: Operation): string => `${method.toUpperCase()} ${path}`;
const idName = (field: string): string | undefined => {
  if (ALIASES[field] !== undefined) return ALIASES[field];
  if (field.endsWith('_ids')) return field.replace(/s$/, '');
  return field.endsWith('_id') ? field : undefined;
};

describe('tenancy', () => {
  let database: TestDatabase;
  let repos: string;
  let db: DataSource;
  let service: { url: string; stop(): Promise<void> };
  let document: Document;
  let operations: Operation[];
  let victim: Tenant;
  let stranger: Tenant;
  let strangers: { name: string; headers: Record<string, string>; isColleague: boolean }[];

  beforeAll(async () => {
    database = await createTestDatabase();
    db = await connectTo(database.url);
    repos = realpathSync(mkdtempSync(join(tmpdir(), 'tenancy-')));
    service = await startBuiltService({
      DATABASE_URL: database.url,
      ENTOURAGE_ROLES: 'api',
      ENTOURAGE_REPOS_DIR: repos,
    });
    document = (await supertest(service.url).get('/docs-json').expect(200)).body as Document;
    operations = operationsOf(document);
    victim = await makeTenant(db, MARK, 0, repos);
    stranger = await makeTenant(db, 'other-tenant', 10, repos);
    const otherTeam = await makeTeam(db, String(victim.ids['org_id']), { name: 'Other', slug: 'other' });
    const colleague = await makeAgent(db, otherTeam, { name: 'colleague' });
    const colleaguesKey = (scopes: ('all' | 'agent')[]) =>
      makeApiKey(db, otherTeam.org_id, scopes, { agent_id: colleague.id, name: 'colleague' });
    strangers = [
      { name: 'a user of another organization', headers: asUser(stranger.owner), isColleague: false },
      { name: 'a key of another organization', headers: withKey(stranger.key), isColleague: false },
      { name: 'an agent of another organization', headers: withKey(stranger.agentKey), isColleague: false },
      {
        name: "an agent's key of another team",
        headers: withKey((await colleaguesKey(['all'])).key),
        isColleague: true,
      },
      {
        name: "an agent's key of another team, scope agent",
        headers: withKey((await colleaguesKey(['agent'])).key),
        isColleague: true,
      },
    ];
  });
  afterAll(async () => {
    await service?.stop();
    await db?.destroy();
    await database?.drop();
    rmSync(repos, { recursive: true, force: true });
  });

  const idOf = (tenant: Tenant, name: string, of: string): string | number => {
    const id = tenant.ids[name];
    if (id === undefined) throw new Error(`${of}: nobody has an id for '${name}': see the rule in this file`);
    return id;
  };

  /** A body that passes validation, with `tenant`'s id wherever one is asked for. */
  const sample = (tenant: Tenant, given: Schema, field: string, of: string): unknown => {
    const schema = resolved(document, given);
    const id = idName(field);
    if (id !== undefined) {
      const value = idOf(tenant, id, `${of}, ${field}`);
      return schema.type === 'array' ? [value] : value;
    }
    if (field in SAMPLES) return SAMPLES[field];
    if (schema.enum) return schema.enum[0];
    if (schema.format === 'date-time') return new Date().toISOString();
    if (schema.format === 'email' || field === 'email') return tenant.email;
    if (schema.type === 'integer' || schema.type === 'number') return schema.minimum ?? 1;
    if (schema.type === 'boolean') return true;
    if (schema.type === 'array') return schema.items ? [sample(tenant, schema.items, '', of)] : [];
    if (schema.properties)
      return Object.fromEntries(
        Object.entries(schema.properties).map(([name, part]) => [name, sample(tenant, part, name, of)]),
      );
    return schema.type === 'object' ? {} : 'stranger';
  };

  const bodyOf = (tenant: Tenant, operation: Operation): object | undefined =>
    operation.body && (sample(tenant, operation.body, '', nameOf(operation)) as object);

  const call = (
    operation: Operation,
    headers: Record<string, string>,
    ids: { path: Tenant; body: Tenant },
  ): Promise<Response> => {
    const path = operation.path.replace(/\{(\w+)\}/g, (_, name: string) =>
      name === 'key' ? 'notes' : String(idOf(ids.path, name, nameOf(operation))),
    );
    const query = operation.queryParameters.flatMap((name) => {
      if (name === 'path') return [[name, String(SAMPLES[name])] as [string, string]];
      const id = idName(name);
      return id === undefined
        ? []
        : [[name, String(idOf(ids.body, id, nameOf(operation)))] as [string, string]];
    });
    const send = supertest(service.url)[operation.method as 'get'];
    return send(`${path}?${new URLSearchParams(query).toString()}`)
      .set(headers)
      .send(bodyOf(ids.body, operation))
      .then((answer) => answer);
  };

  const guarded = (): Operation[] => operations.filter((operation) => !PUBLIC.includes(nameOf(operation)));
  const theVictims = () => ({ path: victim, body: victim });

  /** Whether the body or the query of an operation names something by its id. */
  const namesIds = (operation: Operation): boolean => {
    const fields = operation.body ? Object.keys(resolved(document, operation.body).properties ?? {}) : [];
    return fields.some((field) => idName(field) !== undefined);
  };

  /**
   * Every row that holds an id or the mark of the victim, as text. When a key was used last does not count, nor, with
   * `claims` left out, what a body claimed: it is kept beside the truth, under a name that says so.
   */
  const rowsOfVictim = async (claims: 'with claims' | 'without claims'): Promise<string[]> => {
    const needle = [...Object.values(victim.ids), MARK].join('|');
    const row =
      claims === 'with claims'
        ? `to_jsonb(t) - 'last_used_at'`
        : `(to_jsonb(t) - 'last_used_at' - 'claimed_sender' - 'claimed') #- '{metadata,claimed}'`;
    const tables = await db.query<{ name: string }[]>(
      `SELECT c.oid::regclass::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
       WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname = 'public' ORDER BY 1`,
    );
    const rows: string[] = [];
    for (const { name } of tables) {
      const found = await db.query<{ row: string }[]>(
        `SELECT row FROM (SELECT (${row})::text AS row FROM ${name} t) rows WHERE row ~ $1 ORDER BY row`,
        [needle],
      );
      rows.push(...found.map((one) => `${name} ${one.row}`));
    }
    return rows;
  };

  it('has a document worth walking, of every route that the service has', async () => {
    expect(operations.length).toBeGreaterThan(25);
    const documented = new Set(operations.map(nameOf));
    const app = await startTestService();
    try {
      interface Layer {
        route?: { path: string; methods: Record<string, boolean> };
      }
      const { stack } = (app.app.getHttpAdapter().getInstance() as { router: { stack: Layer[] } }).router;
      const routes = stack.flatMap(({ route }) =>
        route
          ? Object.keys(route.methods).map(
              (method) => `${method.toUpperCase()} ${route.path.replace(/:(\w+)/g, '{$1}')}`,
            )
          : [],
      );
      const hidden = routes.filter((route) => !documented.has(route) && !UNDOCUMENTED.test(route));
      expect(hidden).toEqual([]);
    } finally {
      await app.close();
    }
  });

  it('asks for a credential on every route but the public ones', async () => {
    const open: string[] = [];
    for (const operation of guarded()) {
      const answer = await call(operation, {}, theVictims());
      if (answer.status !== 401 || answer.headers['www-authenticate'] !== 'Bearer')
        open.push(`${nameOf(operation)}: ${answer.status}`);
    }
    expect(open).toEqual([]);
  });

  it('knows no bare id', () => {
    const bare = operations.filter((operation) => operation.pathParameters.includes('id')).map(nameOf);
    expect(bare).toEqual([]);
  });

  it('shows the victim its own: the ids are right, and what they find can be told', async () => {
    const unseen: string[] = [];
    const credentials = [asUser(victim.owner), withKey(victim.key), withKey(victim.agentKey)];
    for (const operation of guarded().filter(
      ({ method, pathParameters }) => method === 'get' && pathParameters.length > 0,
    )) {
      const answers = await Promise.all(credentials.map((headers) => call(operation, headers, theVictims())));
      const statuses = answers.map((answer) => answer.status);
      if (!statuses.some((status) => status < 300))
        unseen.push(`${nameOf(operation)}: ${statuses.join(', ')}`);
    }
    expect(unseen).toEqual([]);
  });

  it('lets no stranger find or change anything by the ids of the victim', async () => {
    const before = await rowsOfVictim('with claims');
    const leaks: string[] = [];
    // A colleague's organization is its own; what another team of it has is not.
    const ownOrganization = { mark: MARK_OF_TEAM, org_id: MARK_OF_TEAM };
    for (const { name, headers, isColleague } of strangers)
      for (const operation of guarded()) {
        const answer = await call(operation, headers, theVictims());
        const told = `${name}: ${nameOf(operation)}: ${answer.status} ${answer.text.slice(0, 300)}`;
        const secrets = Object.values({
          mark: MARK,
          ...victim.ids,
          ...(isColleague ? ownOrganization : {}),
        }).map(String);
        const mustRefuse = isColleague
          ? operation.pathParameters.some((parameter) => parameter !== 'org_id' && parameter !== 'key')
          : operation.pathParameters.length > 0 || namesIds(operation);
        const isEmpty = EMPTY_FOR_UNKNOWN.includes(nameOf(operation)) && answer.text === '[]';
        if (mustRefuse && !isEmpty && answer.status !== 404 && answer.status !== 403)
          leaks.push(`not refused: ${told}`);
        if (answer.status >= 500) leaks.push(`failed: ${told}`);
        if (answer.status < 300 && secrets.some((secret) => answer.text.includes(secret)))
          leaks.push(`told: ${told}`);
      }
    expect(leaks).toEqual([]);
    expect(await rowsOfVictim('with claims')).toEqual(before);
  });

  it('links nothing of a stranger to anything of the victim', async () => {
    const before = new Set(await rowsOfVictim('without claims'));
    const leaks: string[] = [];
    // What has an id in its path is the stranger's own. Nothing is deleted, so that the walk goes on; and a user is no
    // tenant's: whoever knows an address may add its user to an organization.
    const walked = guarded().filter(
      (operation) =>
        operation.method !== 'delete' && nameOf(operation) !== 'POST /api/v1/orgs/{org_id}/members',
    );
    for (const { name, headers } of strangers.filter((one) => !one.isColleague))
      for (const operation of walked) {
        const answer = await call(operation, headers, { path: stranger, body: victim });
        const told = `${name}: ${nameOf(operation)}: ${answer.status} ${answer.text.slice(0, 300)}`;
        if (answer.status >= 500) leaks.push(`failed: ${told}`);
        if (answer.status < 300 && answer.text.includes(MARK)) leaks.push(`told: ${told}`);
      }
    expect(leaks).toEqual([]);
    expect((await rowsOfVictim('without claims')).filter((row) => !before.has(row))).toEqual([]);
  });
});
