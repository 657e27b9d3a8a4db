import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';

type Json = ReturnType<typeof JSON.parse>;

export interface GithubComment {
  id: number;
  body: string;
  updated_at: string;
  author: string;
}

export interface HookDelivery {
  id: string;
  guid: string;
  delivered_at: string;
  redelivery: boolean;
  status_code: number;
  event: string;
  action: string | null;
}

export interface GithubCall {
  method: string;
  path: string;
  query: URLSearchParams;
  headers: IncomingMessage['headers'];
  body: Json;
  at: number;
}

/** What goes wrong with the next call that `matches`. */
export interface Fault {
  matches: (call: GithubCall) => boolean;
  /** `after` the effect the connection is reset; `hang` answers only when the server closes. */
  kind: 'secondary' | 'primary' | 'status' | 'reset-after' | 'hang-after';
  status?: number;
  retry_after?: number;
  message?: string;
  /** How often; 1 without it. */
  times?: number;
}

/** Behaves like GitHub's REST API, below `/api/v3` as an Enterprise Server, for the calls that the service makes. */
export class GithubServer {
  readonly calls: GithubCall[] = [];
  readonly comments = new Map<string, GithubComment[]>();
  readonly labels = new Map<string, string[]>();
  readonly states = new Map<string, { state: string; state_reason: string | null }>();
  /** By repository and `owner:branch`. */
  readonly pulls = new Map<string, Json>();
  readonly deliveries = new Map<string, HookDelivery[]>();
  readonly redelivered: string[] = [];
  readonly tokens = new Set(['ghp_test_token_1234']);
  /** Installations that give a token, and the tokens they gave. */
  readonly installations = new Set<number>();
  /** Repositories under another name by now: old → new. */
  readonly renamed = new Map<string, string>();
  remaining = 4_999;
  perPage = 100;
  /** Called when a redelivery is asked for, as GitHub then sends it. */
  onRedelivery: (delivery: HookDelivery) => void = () => undefined;
  private faults: Fault[] = [];
  private nextId = 1_000;
  private readonly server = createServer((request, response) => void this.handle(request, response));

  static async start(): Promise<GithubServer> {
    const github = new GithubServer();
    await new Promise<void>((done) => github.server.listen(0, '127.0.0.1', done));
    return github;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/api/v3`;
  }

  fail(fault: Fault): void {
    this.faults.push(fault);
  }

  commentsOf(repository: string, number: number): GithubComment[] {
    return this.comments.get(`${repository}/issues/${number}`) ?? [];
  }

  called(method: string, path: RegExp): GithubCall[] {
    return this.calls.filter((call) => call.method === method && path.test(call.path));
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', this.url);
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString();
    const call: GithubCall = {
      method: request.method ?? 'GET',
      path: url.pathname.replace(/^\/api\/v3/, ''),
      query: url.searchParams,
      headers: request.headers,
      body: text === '' ? null : JSON.parse(text),
      at: Date.now(),
    };
    this.calls.push(call);
    this.remaining -= 1;
    response.setHeader('content-type', 'application/json; charset=utf-8');
    response.setHeader('x-ratelimit-limit', '5000');
    response.setHeader('x-ratelimit-remaining', String(this.remaining));
    response.setHeader('x-ratelimit-reset', String(Math.floor(Date.now() / 1000) + 600));
    if (!url.pathname.startsWith('/api/v3/')) return void response.writeHead(404).end('{}');
    const moved = this.redirected(url);
    if (moved !== null) {
      response.writeHead(301, { location: moved });
      return void response.end(JSON.stringify({ message: 'Moved Permanently' }));
    }
    const fault = this.takeFault(call);
    if (fault !== null && !fault.kind.endsWith('-after')) return refuse(response, fault);
    const [status, data] = this.authorized(call) ?? this.answer(call, response);
    if (fault?.kind === 'reset-after') return void request.socket.resetAndDestroy();
    if (fault?.kind === 'hang-after') return;
    response.statusCode = status;
    response.end(status === 204 ? undefined : JSON.stringify(data).replaceAll(/"bigint:(\d+)"/g, '$1'));
  }

  private redirected(url: URL): string | null {
    for (const [old, now] of this.renamed)
      if (url.pathname.includes(`/repos/${old}/`))
        return url.href.replace(`/repos/${old}/`, `/repos/${now}/`);
    return null;
  }

  private takeFault(call: GithubCall): Fault | null {
    const fault = this.faults.find(({ matches }) => matches(call)) ?? null;
    if (fault !== null) {
      fault.times = (fault.times ?? 1) - 1;
      if (fault.times <= 0) this.faults = this.faults.filter((other) => other !== fault);
    }
    return fault;
  }

  private authorized({ path, headers }: GithubCall): [number, Json] | null {
    const [scheme = '', token = ''] = (headers.authorization ?? '').split(' ');
    const isJwt = token.split('.').length === 3;
    const asApp = path.startsWith('/app');
    if (asApp ? isJwt && scheme.toLowerCase() === 'bearer' : this.tokens.has(token)) return null;
    return [401, { message: 'Bad credentials', documentation_url: 'https://docs.github.com/rest' }];
  }

  private answer(call: GithubCall, response: ServerResponse): [number, Json] {
    const { method, path, body } = call;
    const on = (verb: string, pattern: RegExp): string[] | null =>
      method === verb ? (pattern.exec(path)?.slice(1) ?? null) : null;
    if (on('GET', /^\/user$/)) {
      response.setHeader('x-oauth-scopes', 'repo, admin:repo_hook');
      return [200, { login: 'entourage-user' }];
    }
    if (on('GET', /^\/app$/)) return [200, { slug: 'entourage' }];
    const token = on('POST', /^\/app\/installations\/(\d+)\/access_tokens$/);
    if (token) return this.giveToken(Number(token[0]));
    const list = on('GET', /^\/repos\/([^/]+\/[^/]+\/issues\/\d+)\/comments$/);
    if (list) return this.listComments(list[0]!, call);
    const create = on('POST', /^\/repos\/([^/]+\/[^/]+\/issues\/\d+)\/comments$/);
    if (create) return [201, this.createComment(create[0]!, body.body as string)];
    const edit = on('PATCH', /^\/repos\/([^/]+\/[^/]+)\/issues\/comments\/(\d+)$/);
    if (edit) return this.editComment(Number(edit[1]), body.body as string);
    const label = on('POST', /^\/repos\/([^/]+\/[^/]+\/issues\/\d+)\/labels$/);
    if (label) {
      const labels = [...new Set([...(this.labels.get(label[0]!) ?? []), ...(body.labels as string[])])];
      this.labels.set(label[0]!, labels);
      return [200, labels.map((name) => ({ name }))];
    }
    const close = on('PATCH', /^\/repos\/([^/]+\/[^/]+\/issues\/\d+)$/);
    if (close) {
      this.states.set(close[0]!, { state: body.state, state_reason: body.state_reason ?? null });
      return [200, { state: body.state }];
    }
    const hook = on('GET', /^\/((?:repos\/[^/]+\/[^/]+|orgs\/[^/]+)\/hooks\/\d+)\/deliveries$/);
    if (hook) return this.listDeliveries(hook[0]!, call, response);
    const attempt = on(
      'POST',
      /^\/((?:repos\/[^/]+\/[^/]+|orgs\/[^/]+)\/hooks\/\d+)\/deliveries\/(\d+)\/attempts$/,
    );
    if (attempt) return this.redeliver(attempt[0]!, attempt[1]!);
    const pulls = on('POST', /^\/repos\/([^/]+\/[^/]+)\/pulls$/);
    if (pulls) return this.openPull(pulls[0]!, body);
    const listed = on('GET', /^\/repos\/([^/]+\/[^/]+)\/pulls$/);
    if (listed) return [200, [this.pulls.get(`${listed[0]} ${call.query.get('head')}`)].filter(Boolean)];
    return [404, { message: 'Not Found', documentation_url: 'https://docs.github.com/rest' }];
  }

  private openPull(repository: string, body: Json): [number, Json] {
    const key = `${repository} ${repository.split('/')[0]}:${body.head}`;
    if (this.pulls.has(key)) return [422, { message: 'Validation Failed', errors: [] }];
    const number = (this.nextId += 1);
    const pull = { ...body, number, html_url: `https://github.example.com/${repository}/pull/${number}` };
    this.pulls.set(key, pull);
    return [201, pull];
  }

  private giveToken(installation: number): [number, Json] {
    if (!this.installations.has(installation)) return [404, { message: 'Not Found' }];
    const token = `ghs_${installation}_${(this.nextId += 1)}`;
    this.tokens.add(token);
    return [201, { token, expires_at: new Date(Date.now() + 3_600_000).toISOString(), permissions: {} }];
  }

  private createComment(issue: string, body: string): Json {
    const comment = {
      id: (this.nextId += 1),
      body,
      updated_at: new Date().toISOString(),
      author: 'entourage-user',
    };
    this.comments.set(issue, [...(this.comments.get(issue) ?? []), comment]);
    return shown(comment);
  }

  private editComment(id: number, body: string): [number, Json] {
    const comment = [...this.comments.values()].flat().find((one) => one.id === id);
    if (comment === undefined) return [404, { message: 'Not Found' }];
    Object.assign(comment, { body, updated_at: new Date().toISOString() });
    return [200, shown(comment)];
  }

  private listComments(issue: string, { query }: GithubCall): [number, Json] {
    const since = query.get('since') ?? '';
    const size = Math.min(Number(query.get('per_page') ?? 30), 100);
    const begin = (Number(query.get('page') ?? 1) - 1) * size;
    const all = (this.comments.get(issue) ?? []).filter(({ updated_at }) => updated_at >= since);
    return [200, all.slice(begin, begin + size).map(shown)];
  }

  private listDeliveries(
    hook: string,
    { query, path }: GithubCall,
    response: ServerResponse,
  ): [number, Json] {
    const all = [...(this.deliveries.get(hook) ?? [])].reverse();
    const size = Math.min(Number(query.get('per_page') ?? 30), this.perPage);
    const begin = Number(query.get('cursor')?.replace('v1_', '') ?? 0);
    if (begin + size < all.length)
      response.setHeader(
        'link',
        `<https://elsewhere.example.com${path}?per_page=${size}&cursor=v1_${begin + size}>; rel="next"`,
      );
    return [200, all.slice(begin, begin + size).map((one) => ({ ...one, id: `bigint:${one.id}` }))];
  }

  private redeliver(hook: string, id: string): [number, Json] {
    const delivery = (this.deliveries.get(hook) ?? []).find((one) => one.id === id);
    if (delivery === undefined) return [404, { message: 'Not Found' }];
    this.redelivered.push(id);
    this.onRedelivery(delivery);
    return [202, {}];
  }
}

const shown = ({ id, body, updated_at, author }: GithubComment): Json => ({
  id,
  body,
  updated_at,
  html_url: `https://github.example.com/comment/${id}`,
  user: { login: author },
});

function refuse(response: ServerResponse, { kind, status, retry_after, message }: Fault): void {
  response.statusCode = kind === 'status' ? (status ?? 500) : 403;
  if (kind === 'secondary' && retry_after !== undefined)
    response.setHeader('retry-after', String(retry_after));
  if (kind === 'primary') {
    response.setHeader('x-ratelimit-remaining', '0');
    response.setHeader('x-ratelimit-reset', String(Math.floor(Date.now() / 1000) + (retry_after ?? 1)));
  }
  const texts = {
    secondary: 'You have exceeded a secondary rate limit. Please wait a few minutes before you try again.',
    primary: 'API rate limit exceeded for user ID 1.',
  };
  response.end(JSON.stringify({ message: message ?? texts[kind as 'primary'] ?? 'It failed, says GitHub.' }));
}
