import { pino, stdTimeFunctions, type DestinationStream, type Logger } from 'pino';
import { type ResolvedSettings } from '../config/settings.js';
import { requestContext } from '../http/request-context.js';

/** Should someone log a whole request, these never reach a line. */
const NEVER = ['authorization', 'cookie', '["x-api-key"]', '["x-hub-signature-256"]', 'password', 'secret'];
const redact = NEVER.flatMap((name) => {
  const dotted = name.startsWith('[') ? name : `.${name}`;
  return [name, `headers${dotted}`, `req.headers${dotted}`, `body${dotted}`];
});

const DEBUG = 20;
const WARN = 40;

/** Nest's own account of how it puts the modules and routes together: hundreds of lines at every start. */
const FRAMEWORK = new Set(['InstanceLoader', 'RoutesResolver', 'RouterExplorer']);

interface LoggedError {
  type: string;
  message: string;
  stack?: string;
  code?: string;
  constraint?: string;
  cause?: LoggedError;
}

/** What is logged of an error: not its other properties, since a failed query carries its parameters. */
export function loggedError(error: unknown, depth = 0): LoggedError {
  if (!(error instanceof Error)) return { type: typeof error, message: String(error) };
  const { code, constraint } = error as Error & { code?: unknown; constraint?: unknown };
  return {
    type: error.name,
    message: error.message,
    ...(error.stack === undefined ? {} : { stack: error.stack }),
    ...(typeof code === 'string' ? { code } : {}),
    ...(typeof constraint === 'string' ? { constraint } : {}),
    ...(error.cause === undefined || depth > 3 ? {} : { cause: loggedError(error.cause, depth + 1) }),
  };
}

/**
 * The one logger of an application. Every line written while a request is served names it; JSON on standard output, or
 * lines for a person with ENTOURAGE_LOG_PRETTY.
 */
export async function createLogger(
  settings: Pick<ResolvedSettings, 'ENTOURAGE_LOG_LEVEL' | 'ENTOURAGE_LOG_PRETTY'>,
  destination?: DestinationStream,
): Promise<Logger> {
  return pino(
    {
      level: settings.ENTOURAGE_LOG_LEVEL,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: (error: unknown) => loggedError(error) },
      mixin: () => ({ ...requestContext() }),
      hooks: {
        logMethod(args, method, level) {
          const [fields] = args as unknown as [{ context?: unknown } | string | undefined];
          const context = typeof fields === 'object' ? fields.context : undefined;
          if (level > DEBUG && level < WARN && typeof context === 'string' && FRAMEWORK.has(context))
            this.debug(...args);
          else method.apply(this, args);
        },
      },
      redact: { paths: redact, censor: '(hidden)' },
    },
    destination ??
      (settings.ENTOURAGE_LOG_PRETTY ? await prettyOutput() : pino.destination({ dest: 1, sync: true })),
  );
}

/** Loaded only where it is used. */
async function prettyOutput(): Promise<DestinationStream> {
  const { default: pretty } = await import('pino-pretty');
  return pretty.build({
    sync: true,
    singleLine: true,
    colorize: process.stdout.isTTY,
    ignore: 'trace_id',
    translateTime: 'SYS:HH:MM:ss.l',
  });
}
