import { DomainError } from '../../../errors/domain-error.js';
import { isTooDeep, MAX_JSON_DEPTH } from '../../../http/json-depth.js';
import { isJsonObject, type JsonObject } from './json-fields.js';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export type MediaType = 'json' | 'form';

/** Reads a Content-Type as RFC 9110 writes it: any case, parameters after it. Null for what is not accepted. */
export function mediaType(header: string | undefined): MediaType | null {
  const type = (header ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
  if (type === 'application/json' || /^[\w.+-]+\/[\w.-]+\+json$/.test(type)) return 'json';
  return type === 'application/x-www-form-urlencoded' ? 'form' : null;
}

/**
 * Parses a body that has been verified.
 * @throws DomainError `invalid_utf8`, `invalid_json`, `unexpected_shape` or, for a form without exactly one `payload`,
 * `unsupported_media_type`
 */
export function parsePayload(body: Buffer, type: MediaType): JsonObject {
  const bytes = type === 'form' ? payloadOfForm(body) : body;
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    throw new DomainError('invalid_utf8', 'The body is not valid UTF-8');
  }
  if (text.startsWith('\uFEFF'))
    throw new DomainError('invalid_utf8', 'The body begins with a byte order mark');
  if (isTooDeep(bytes))
    throw new DomainError('invalid_json', `The body is nested more than ${MAX_JSON_DEPTH} levels deep`);
  let payload: unknown;
  try {
    payload = JSON.parse(text);
  } catch {
    throw new DomainError('invalid_json', 'The body is not valid JSON');
  }
  if (!isJsonObject(payload)) throw new DomainError('unexpected_shape', 'The body is not a JSON object');
  return payload;
}

function payloadOfForm(body: Buffer): Buffer {
  const payloads = body
    .toString('latin1')
    .split('&')
    .map((pair) => {
      const equals = pair.indexOf('=');
      return equals < 0 ? [pair, ''] : [pair.slice(0, equals), pair.slice(equals + 1)];
    })
    .filter(([name = '']) => percentDecode(name).toString('latin1') === 'payload')
    .map(([, value = '']) => percentDecode(value));
  const [payload] = payloads;
  if (payloads.length !== 1 || payload === undefined)
    throw new DomainError('unsupported_media_type', 'A form must have exactly one field "payload"');
  return payload;
}

/** To bytes and not to text, so that what is no UTF-8 is noticed. A `%` without two hex digits stays as it is. */
function percentDecode(text: string): Buffer {
  const source = Buffer.from(text, 'latin1');
  const decoded = Buffer.alloc(source.length);
  let length = 0;
  for (let at = 0; at < source.length; at += 1) {
    let byte = source[at] ?? 0;
    if (byte === 0x2b) byte = 0x20;
    else if (byte === 0x25) {
      const value = hexDigit(source[at + 1]) * 16 + hexDigit(source[at + 2]);
      if (value >= 0) {
        byte = value;
        at += 2;
      }
    }
    decoded[length] = byte;
    length += 1;
  }
  return decoded.subarray(0, length);
}

/** Far below zero for what is no digit, so that a sum with one is negative too. */
function hexDigit(byte: number | undefined): number {
  if (byte === undefined) return -1_000;
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1_000;
}
