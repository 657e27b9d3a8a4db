import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { lookup as resolve, type LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { Agent, request } from 'undici';
import { ResolvedSettings, SettingsError } from '../config/settings.js';
import { AddressRules, InvalidNetwork } from './address-rules.js';
import { OutboundError, outboundError } from './outbound-error.js';

const DNS_MS = 5_000;
const CONNECT_MS = 5_000;
const TOTAL_MS = 15_000;
const MAX_ANSWER_BYTES = 16 * 1024;

export interface OutboundAnswer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  /** At most 16 KiB of it, as text without NUL. */
  body: string;
  truncated: boolean;
}

/**
 * Calls to systems of others. The address that was judged is the address that is dialled; redirects are answers like
 * any other; every call has a connection of its own, so that each is judged.
 */
@Injectable()
export class OutboundHttp implements OnApplicationShutdown {
  private readonly rules: AddressRules;
  private readonly agent: Agent;

  constructor(settings: ResolvedSettings) {
    this.rules = rulesOf(settings);
    this.agent = new Agent({
      connect: { lookup: this.lookup, timeout: CONNECT_MS },
      headersTimeout: TOTAL_MS,
      bodyTimeout: TOTAL_MS,
    });
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

  /** @throws OutboundError */
  async post(url: string, headers: Record<string, string>, body: Buffer): Promise<OutboundAnswer> {
    const target = this.parse(url);
    try {
      const answer = await request(target, {
        method: 'POST',
        headers: { 'user-agent': 'Entourage', ...headers },
        body,
        dispatcher: this.agent,
        reset: true,
        signal: AbortSignal.timeout(TOTAL_MS),
      });
      const read = await readSome(answer.body);
      return { status: answer.statusCode, headers: answer.headers, ...read };
    } catch (error) {
      throw outboundError(error);
    }
  }

  private parse(url: string): URL {
    const target = URL.canParse(url) ? new URL(url) : null;
    if (target === null || !/^https?:$/.test(target.protocol))
      throw new OutboundError('invalid_url', 'The URL is not an http or https URL');
    if (target.username !== '' || target.password !== '')
      throw new OutboundError('invalid_url', 'The URL must not hold a user or password');
    // Node resolves names only: a literal address would never reach `lookup`.
    const host = bare(target.hostname);
    if (isIP(host) !== 0 && !this.rules.allows(host)) throw refused();
    return target;
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
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
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

async function readSome(
  body: AsyncIterable<Buffer> & { destroy(): unknown },
): Promise<{ body: string; truncated: boolean }> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) break;
  }
  const bytes = Buffer.concat(chunks).subarray(0, MAX_ANSWER_BYTES);
  return { body: bytes.toString('utf8').replaceAll('\0', ''), truncated: size > MAX_ANSWER_BYTES };
}
