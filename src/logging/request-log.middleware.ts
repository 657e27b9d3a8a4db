import { type NextFunction, type Request, type Response } from 'express';
import { type Logger } from 'pino';
import { isInProcess } from '../http/in-process.js';
import { requestContext } from '../http/request-context.js';

/** Asked every few seconds by machines: below `info`. */
const QUIET = /^\/(metrics|api\/v1\/health(\/.*)?)$/;
const LONGEST_PATH = 300;

interface Caller {
  actor?: { type: string; id: string };
}

/**
 * One line for every request, when it has been answered: never its query, headers or body. It stands before
 * everything that may answer, so that a body that cannot be parsed is logged too.
 */
export function requestLog(
  logger: Logger,
): (request: Request, response: Response, next: NextFunction) => void {
  return (request, response, next) => {
    const began = process.hrtime.bigint();
    const path = request.path.slice(0, LONGEST_PATH);
    // The line of the request that it was sent for tells of it already.
    const isQuiet = QUIET.test(path) || isInProcess(request);
    // Taken here: the socket's events happen outside the request's own context.
    const context = requestContext();
    response.once('close', () => {
      const status = response.statusCode;
      const level = status >= 500 ? 'error' : isQuiet ? 'debug' : 'info';
      if (!logger.isLevelEnabled(level)) return;
      const actor = (request as Request & { user?: Caller }).user?.actor;
      logger[level](
        {
          ...context,
          method: request.method,
          path,
          status,
          duration_ms: Math.round(Number(process.hrtime.bigint() - began) / 1e4) / 100,
          remote: request.ip,
          ...(actor === undefined ? {} : { actor: `${actor.type}:${actor.id}` }),
        },
        response.writableFinished ? 'request' : 'request given up by the client',
      );
    });
    next();
  };
}
