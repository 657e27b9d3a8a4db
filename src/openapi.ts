import { type NestExpressApplication } from '@nestjs/platform-express';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import { ERROR_CODES } from './errors/error-codes.js';
import { VERSION } from './config/version.js';

const DESCRIPTION =
  'Turns GitHub issues into finished work by AI agents. Authenticate with `X-API-Key` or a bearer token; ' +
  'lists answer a bare array and name the next page in the `Link` header; errors are problem+json (RFC 9457).';

const text = { type: 'string' };

/** What every failure answers, whatever its status. */
const PROBLEM = {
  type: 'object',
  required: ['type', 'title', 'status', 'detail', 'code', 'request_id'],
  properties: {
    type: text,
    title: text,
    status: { type: 'integer' },
    detail: { ...text, description: 'For a person' },
    code: { ...text, description: 'For a program: stable', enum: Object.keys(ERROR_CODES) },
    errors: {
      type: 'array',
      description: 'Of a 422: one entry for each field',
      items: { type: 'object', required: ['field', 'message'], properties: { field: text, message: text } },
    },
    request_id: { ...text, nullable: true },
  },
};

export function openApiDocument(app: NestExpressApplication): OpenAPIObject {
  const document = SwaggerModule.createDocument(
    app,
    new DocumentBuilder()
      .setTitle('Entourage')
      .setDescription(DESCRIPTION)
      .setVersion(VERSION)
      .addBearerAuth({ type: 'http', scheme: 'bearer', bearerFormat: 'JWT' }, 'bearer')
      .addApiKey({ type: 'apiKey', in: 'header', name: 'X-API-Key' }, 'api-key')
      .addSecurityRequirements('bearer')
      .addSecurityRequirements('api-key')
      .build(),
  );
  (document.components ??= {}).schemas = { ...document.components.schemas, Problem: PROBLEM };
  for (const path of Object.values(document.paths))
    for (const operation of [path.get, path.post, path.put, path.patch, path.delete])
      if (operation !== undefined)
        operation.responses['default'] ??= {
          description: 'Any failure',
          content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
        };
  return document;
}
