import { newId } from '../../database/new-id.js';
import { requestContext } from '../../http/request-context.js';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** The correlation id of what a request begins: the caller's trace where that is a uuid, else a new one. */
export function newCorrelationId(): string {
  const trace = requestContext()?.trace_id;
  return trace !== undefined && UUID.test(trace) ? trace.toLowerCase() : newId();
}
