import { type Request } from 'express';

const BEARER = /^bearer +(.+)$/i;

export const bearerToken = (request: Request): string | undefined =>
  BEARER.exec(request.get('authorization') ?? '')?.[1]?.trim();

/** The API key of a request: of `X-API-Key`, which wins, or given as a bearer token. */
export function presentedApiKey(request: Request): string | undefined {
  const header = request.get('x-api-key')?.trim();
  if (header !== undefined && header !== '') return header;
  const token = bearerToken(request);
  return token?.startsWith('oc_') ? token : undefined;
}
