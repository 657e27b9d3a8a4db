import { type RequestInit, Response } from 'undici';
import { OutboundError, outboundError } from '../../../http-client/outbound-error.js';
import { type OutboundHttp } from '../../../http-client/outbound-http.js';

/** GitHub itself gives up after 10 s: what has not happened by then does not happen later. */
const CALL_MS = 15_000;
/** More than any page of GitHub's: 100 comments of 65,536 characters each, as JSON. */
const MAX_ANSWER_BYTES = 48 * 1024 * 1024;
const MAX_REDIRECTS = 3;

/**
 * The Fetch API for octokit. A tenant chooses the server: its answers must neither fill the memory of all nor go on for
 * ever. A repository that was renamed is redirected to; unlike the standard the method stays, also with 301, or a
 * comment would be asked for instead of made. The token goes to no other server.
 */
export const boundedFetch =
  (outbound: OutboundHttp) =>
  async (url: string, init: RequestInit): Promise<Response> => {
    const deadline = AbortSignal.timeout(CALL_MS);
    const signal = init.signal ? AbortSignal.any([deadline, init.signal]) : deadline;
    let target = url;
    for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects += 1) {
      const answer = await outbound.fetch(target, { ...init, signal, redirect: 'manual' });
      const location = redirection(answer, target);
      if (location === null) return whole(answer);
      await answer.body?.cancel();
      target = location;
    }
    throw new OutboundError('protocol', 'There are too many redirects');
  };

function redirection({ status, headers }: Response, from: string): string | null {
  if (![301, 302, 307, 308].includes(status)) return null;
  const location = headers.get('location') ?? '';
  const to = URL.canParse(location, from) ? new URL(location, from) : null;
  if (to?.origin !== new URL(from).origin)
    throw new OutboundError('protocol', 'The server redirects to another one');
  return to.href;
}

async function whole({ status, headers, body }: Response): Promise<Response> {
  if (body === null) return new Response(null, { status, headers });
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    // Leaving the loop early cancels the rest of the body.
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      size += chunk.length;
      if (size > MAX_ANSWER_BYTES) throw new OutboundError('protocol', 'The answer is too large');
      chunks.push(chunk);
    }
  } catch (error) {
    throw outboundError(error);
  }
  return new Response(Buffer.concat(chunks), { status, headers });
}
