import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { lookup, type LookupAddress, type LookupAllOptions } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { Agent, buildConnector, fetch, request, type RequestInit, type Response } from 'undici';
import { SettingsError } from '../config/parse-settings.js';
import { ResolvedSettings } from '../config/settings.js';
import { AddressRules, InvalidNetwork } from './address-rules.js';
import { OutboundError, outboundError } from './outbound-error.js';
import { REFUSED_PORTS } from './refused-ports.js';

const DNS_MS = 5_000;
const CONNECT_MS = 5_000;
const TOTAL_MS = 15_000;
/** A connection that breaks this soon was most likely one the receiver had closed meanwhile. */
const STALE_MS = 1_000;
const MAX_ANSWER_BYTES = 16 * 1024;

export interface OutboundAnswer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  /** At most 16 KiB of it, as text without NUL. */
  body: string;
  /** Whether `body` is only its beginning: it was longer, broke off, or came too slowly. */
  truncated: boolean;
}

type Resolve = (
  hostname: string,
  options: LookupAllOptions,
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

export interface CallOptions {
  /** Gives the call up; it then fails with `timeout`. */
  signal?: AbortSignal;
  /** How long the call may take, body and all; 15 s at the most. */
  timeout_ms?: number;
  /**
   * Leaves the connection open for the next call to the same origin, and uses one that was left open; should that one
   * break, the call is made once more, so that the receiver may see it twice. Else every call has its own.
   */
  keep_alive?: boolean;
}

/**
 * Calls to systems of others. Whatever a URL says, the address that was judged is the address that is dialled, at every
 * connection; a connection that is kept stays with the address it was judged for.
 */
@Injectable()
export class OutboundHttp implements OnApplicationShutdown {
  private readonly rules: AddressRules;
  private readonly agent: Agent;
  private readonly httpsOnly: boolean;
  private resolve: Resolve = lookup;

  constructor(settings: ResolvedSettings) {
    this.rules = rulesOf(settings);
    this.httpsOnly = settings.ENTOURAGE_OUTBOUND_HTTPS_ONLY;
    const connect = buildConnector({ lookup: this.lookup, timeout: CONNECT_MS, allowH2: false });
    this.agent = new Agent({
      // Node resolves names only: a literal address, of a redirect for example, would never reach `lookup`.
      connect: (options, done) => {
        if (this.refusesLiteral(options.hostname)) done(refused(), null);
        else connect(options, done);
      },
      headersTimeout: TOTAL_MS,
      bodyTimeout: TOTAL_MS,
    });
  }

  /** Asks another resolver than the system's, for tests. */
  withResolver(resolve: Resolve): this {
    this.resolve = resolve;
    return this;
  }

  onApplicationShutdown(): Promise<void> {
    return this.agent.destroy();
  }

  /** @throws OutboundError `invalid_url` or `address_refused`: for when a URL is saved, without calling it. */
  async check(url: string): Promise<void> {
    const { hostname } = this.parse(url);
    if (isIP(bare(hostname)) !== 0) return;
    await new Promise<void>((done, fail) => {
      this.lookup(hostname, { all: true }, (error) => (error === null ? done() : fail(outboundError(error))));
    });
  }

  /**
   * Sends these bytes. A redirect is an answer like any other. Once the status has come the call has an answer, whatever
   * becomes of the body.
   * @throws OutboundError
   */
  async post(
    url: string,
    headers: Record<string, string>,
    body: Buffer,
    options: CallOptions = {},
  ): Promise<OutboundAnswer> {
    const target = this.parse(url);
    const { signal, timeout_ms = TOTAL_MS, keep_alive = false } = options;
    const deadline = AbortSignal.timeout(Math.round(Math.min(timeout_ms, TOTAL_MS)));
    const send = async (reset: boolean): Promise<OutboundAnswer> => {
      const answer = await request(target, {
        method: 'POST',
        headers: { 'user-agent': 'Entourage', ...headers },
        body,
        dispatcher: this.agent,
        reset,
        signal: signal === undefined ? deadline : AbortSignal.any([deadline, signal]),
      });
      const read = await readSome(answer.body);
      return { status: answer.statusCode, headers: answer.headers, ...read };
    };
    const began = performance.now();
    try {
      return await send(!keep_alive).catch((error: unknown) => {
        const stale = outboundError(error).code === 'reset' && performance.now() - began < STALE_MS;
        if (keep_alive && stale) return send(true);
        throw error;
      });
    } catch (error) {
      throw outboundError(error);
    }
  }

  /**
   * For client libraries that make their own requests: the Fetch API, whose every connection is judged, also those of
   * redirects.
   * @throws OutboundError
   */
  async fetch(url: string, init: RequestInit = {}): Promise<Response> {
    const target = this.parse(url);
    try {
      return await fetch(target, {
        ...init,
        dispatcher: this.agent,
        signal: init.signal ?? AbortSignal.timeout(TOTAL_MS),
      });
    } catch (error) {
      throw outboundError(error);
    }
  }

  private parse(url: string): URL {
    const target = URL.canParse(url) ? new URL(url) : null;
    if (target === null || !/^https?:$/.test(target.protocol))
      throw new OutboundError('invalid_url', 'The URL is not an http or https URL');
    if (this.httpsOnly && target.protocol !== 'https:')
      throw new OutboundError(
        'invalid_url',
        'The URL must begin with https: ENTOURAGE_OUTBOUND_HTTPS_ONLY is set',
      );
    if (target.username !== '' || target.password !== '')
      throw new OutboundError('invalid_url', 'The URL must not hold a user or password');
    if (REFUSED_PORTS.has(Number(target.port)))
      throw new OutboundError('invalid_url', 'The URL names a port that belongs to another protocol');
    if (this.refusesLiteral(target.hostname)) throw refused();
    return target;
  }

  private refusesLiteral(hostname: string): boolean {
    const host = bare(hostname);
    return isIP(host) !== 0 && !this.rules.allows(host);
  }

  private readonly lookup: LookupFunction = (hostname, options, callback) => {
    let answered = false;
    const answer = (error: Error | null, addresses: LookupAddress[]): void => {
      if (answered) return;
      answered = true;
      clearTimeout(deadline);
      const [first] = addresses;
      if (error !== null || first === undefined) callback(error ?? new Error('no address'), '', 0);
      else if (options.all === true) callback(null, addresses);
      else callback(null, first.address, first.family);
    };
    const deadline = setTimeout(
      () => answer(new OutboundError('dns', 'The name could not be resolved in time'), []),
      DNS_MS,
    );
    this.resolve(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null)
        answer(new OutboundError('dns', `The name could not be resolved (${error.code})`), []);
      else if (addresses.every(({ address }) => this.rules.allows(address))) answer(null, addresses);
      else answer(refused(), []);
    });
  };
}

const bare = (hostname: string): string => hostname.replace(/^\[|\]$/g, '');

const refused = (): OutboundError =>
  new OutboundError(
    'address_refused',
    'The URL leads to a private address, which ENTOURAGE_OUTBOUND_ALLOW_CIDRS does not allow',
  );

function rulesOf(settings: ResolvedSettings): AddressRules {
  try {
    return new AddressRules(settings.ENTOURAGE_OUTBOUND_ALLOW_CIDRS);
  } catch (error) {
    if (error instanceof InvalidNetwork)
      throw new SettingsError([`ENTOURAGE_OUTBOUND_ALLOW_CIDRS must hold networks like 10.0.0.0/8`]);
    throw error;
  }
}

async function readSome(body: AsyncIterable<Buffer>): Promise<{ body: string; truncated: boolean }> {
  const chunks: Buffer[] = [];
  let size = 0;
  let broken = false;
  try {
    for await (const chunk of body) {
      chunks.push(chunk);
      size += chunk.length;
      if (size > MAX_ANSWER_BYTES) break;
    }
  } catch {
    broken = true;
  }
  const bytes = Buffer.concat(chunks).subarray(0, MAX_ANSWER_BYTES);
  return {
    body: bytes.toString('utf8').replaceAll('\0', ''),
    truncated: broken || size > MAX_ANSWER_BYTES,
  };
}
