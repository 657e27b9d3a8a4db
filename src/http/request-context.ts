import { AsyncLocalStorage } from 'node:async_hooks';

export interface RequestContext {
  request_id: string;
  trace_id: string;
  /** Set once it is known which delivery or task the work belongs to. */
  correlation_id?: string;
  /** The tool that an agent called, of the names that there are. */
  tool?: string;
}

const storage = new AsyncLocalStorage<RequestContext>();

/** Runs `work` so that everything it awaits can name the request it serves. */
export const withRequestContext = <T>(context: RequestContext, work: () => T): T =>
  storage.run(context, work);

/** The request being served, if any: background work has none. */
export const requestContext = (): RequestContext | undefined => storage.getStore();

/** Lets the rest of the request, and its line in the log, name the delivery or task it belongs to. */
export function correlate(correlation_id: string): void {
  const context = storage.getStore();
  if (context !== undefined) context.correlation_id = correlation_id;
}

/** Lets the rest of the request, and its line in the log, name the tool that was called. */
export function noteTool(tool: string): void {
  const context = storage.getStore();
  if (context !== undefined) context.tool = tool;
}
