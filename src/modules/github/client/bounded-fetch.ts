import { type RequestInit, Response } from 'undici';
import { OutboundError, outboundError } from '../../../http-client/outbound-error.js';
import { type OutboundHttp } from '../../../http-client/outbound-http.js';

const CALL_MS = 15_000;
/** More than any page of GitHub's: 100 comments of 65,536 characters each, as JSON. */
const MAX_ANSWER_BYTES = 48 * 1024 * 1024;

/** A tenant chooses the server: its answers must neither fill the memory of all nor go on for ever. */
export const boundedFetch =
  (outbound: OutboundHttp) =>
  async (url: string, init: RequestInit): Promise<Response> => {
    const deadline = AbortSignal.timeout(CALL_MS);
    const signal = init.signal ? AbortSignal.any([deadline, init.signal]) : deadline;
    const answer = await outbound.fetch(url, { ...init, signal });
    const { status, headers, body } = answer;
    if (body === null) return answer;
    return new Response(await read(body as AsyncIterable<Uint8Array>), { status, headers });
  };

async function read(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    // Leaving the loop early cancels the rest of the body.
    for await (const chunk of body) {
      size += chunk.length;
      if (size > MAX_ANSWER_BYTES) throw new OutboundError('protocol', 'The answer is too large');
      chunks.push(chunk);
    }
  } catch (error) {
    throw outboundError(error);
  }
  return Buffer.concat(chunks);
}
