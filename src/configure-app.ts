import { type NestExpressApplication } from '@nestjs/platform-express';
import { SwaggerModule } from '@nestjs/swagger';
import { type Express, type NextFunction, type Request, type Response } from 'express';
import helmet from 'helmet';
import { type Logger } from 'pino';
import { ResolvedSettings } from './config/settings.js';
import { boundConnections } from './http/bound-connections.js';
import { parseJsonBody } from './http/json-body.js';
import { PageInterceptor } from './http/pagination.js';
import { ProblemFilter } from './http/problem.filter.js';
import { requestHeaders, withoutTrailingSlash } from './http/request-headers.middleware.js';
import { validationPipe } from './http/validation.js';
import { openApiDocument } from './openapi.js';
import { LOGGER } from './logging/logging.module.js';
import { requestLog } from './logging/request-log.middleware.js';
import { ToolCatalog } from './modules/mcp/tool-catalog.js';
import { DirectReceive } from './modules/webhooks/receive/direct-receive.js';

/** What Express made of the setting `trust proxy`. */
type IsTrusted = (address: string, hop: number) => boolean;

/** Reads its own body: see RawBodyInterceptor. */
const RECEIVE = /^\/api\/v1\/webhooks\/[^/]+\/receive\/?$/i;

/**
 * Everything about HTTP that is not a route. The application must have been made with `bodyParser: false`: the
 * receive route needs the bytes as they came.
 */
export function configureApp(app: NestExpressApplication): NestExpressApplication {
  const settings = app.get(ResolvedSettings);
  app.disable('x-powered-by');
  app.set('query parser', 'simple');
  app.set(
    'trust proxy',
    settings.ENTOURAGE_TRUSTED_PROXIES.length > 0 ? settings.ENTOURAGE_TRUSTED_PROXIES : false,
  );
  const express: Express = app.getHttpAdapter().getInstance();
  const isTrusted = express.get('trust proxy fn') as IsTrusted;
  boundConnections(app.getHttpServer(), settings, (address) => isTrusted(address, 0));
  app.use(requestHeaders);
  app.use(requestLog(app.get<Logger>(LOGGER)));
  app.use(securityHeaders());
  const receive = app.get(DirectReceive, { strict: false });
  app.use((request: Request, response: Response, next: NextFunction) =>
    receive.handle(request, response, next),
  );
  app.use(withoutTrailingSlash);
  app.use((request: Request, response: Response, next: NextFunction) => {
    if (RECEIVE.test(request.path)) next();
    else parseJsonBody(request, response, next);
  });
  if (settings.ENTOURAGE_CORS_ORIGINS.length > 0)
    app.enableCors({
      origin: settings.ENTOURAGE_CORS_ORIGINS,
      exposedHeaders: ['Link', 'X-Request-ID', 'Retry-After', 'X-RateLimit-Limit', 'X-RateLimit-Remaining'],
    });
  app.setGlobalPrefix('api/v1', { exclude: ['metrics', 'mcp'] });
  app.useGlobalPipes(validationPipe());
  app.useGlobalInterceptors(new PageInterceptor());
  app.useGlobalFilters(new ProblemFilter());
  app.get(ToolCatalog, { strict: false }).describe(() => openApiDocument(app));
  SwaggerModule.setup('docs', app, () => openApiDocument(app), {
    jsonDocumentUrl: 'docs-json',
    customSiteTitle: 'Entourage API',
    swaggerOptions: { persistAuthorization: true },
  });
  return app;
}

/** Swagger UI needs inline styles and data: images; nothing else is loosened. HSTS is set on https only. */
function securityHeaders(): (request: Request, response: Response, next: NextFunction) => void {
  const secure = helmet({
    contentSecurityPolicy: {
      directives: {
        'frame-ancestors': ["'none'"],
        'upgrade-insecure-requests': null,
        'script-src': ["'self'"],
      },
    },
    strictTransportSecurity: false,
    xFrameOptions: { action: 'deny' },
    referrerPolicy: { policy: 'strict-origin-when-cross-origin' },
  });
  // None of them depends on the request: asked for once, and set at a tenth of the cost.
  const headers = new Map<string, string>([['X-XSS-Protection', '1; mode=block']]);
  const collector = {
    setHeader: (name: string, value: string) => headers.has(name) || headers.set(name, value),
    removeHeader: () => undefined,
  };
  secure({} as Request, collector as unknown as Response, (error?: unknown) => {
    if (error !== undefined) throw new Error('the security headers could not be made', { cause: error });
  });
  return (request, response, next) => {
    for (const [name, value] of headers) response.setHeader(name, value);
    if (request.secure)
      response.setHeader('Strict-Transport-Security', 'max-age=31536000; includeSubDomains');
    next();
  };
}
