import { Injectable } from '@nestjs/common';
import { type OpenAPIObject } from '@nestjs/swagger';
import { type Tool as Listed } from '@modelcontextprotocol/sdk/types.js';
import { z } from 'zod';
import { AGENT_ROUTE_EXTENSION } from '../auth/decorators.js';
import { type Identity } from '../auth/identity.js';
import { mayUse } from '../auth/permissions.js';
import { type JsonSchema, toJsonSchema } from './json-schema.js';
import { OWN_ARGUMENTS } from './own-arguments.js';
import { TOOLS } from './tools/index.js';
import { type Route, type Tool } from './tools/tool.js';

const BASE = '/api/v1';
type Operation = NonNullable<OpenAPIObject['paths'][string]['get']>;

/** A tool whose route this service has. */
export interface OfferedTool {
  tool: Tool;
  method: string;
  /** Whether keys reach its route whose only scope is `agent`: it is theirs, or everybody's. */
  isForAgents: boolean;
  listed: Listed & { inputSchema: JsonSchema };
}

/** The tools of this service: those of the table whose routes it has, described by what those routes answer. */
@Injectable()
export class ToolCatalog {
  private document: () => OpenAPIObject = () => {
    throw new Error('the catalog of tools was not given the routes of the service');
  };
  private offered: Map<string, OfferedTool> | null = null;

  /** @param document of the running service; asked for once, when the first agent comes. */
  describe(document: () => OpenAPIObject): void {
    this.document = document;
  }

  find(name: string): OfferedTool | undefined {
    return this.all().get(name);
  }

  /** What the caller's scopes allow. An agent need not say what its key says already. */
  listFor(identity: Identity): Listed[] {
    return [...this.all().values()]
      .filter(({ method, isForAgents }) => mayUse(identity, method, isForAgents))
      .map(({ listed }) => (identity.agent_id === undefined ? listed : withoutOwn(listed)));
  }

  private all(): Map<string, OfferedTool> {
    return (this.offered ??= offer(this.document()));
  }
}

function offer(document: OpenAPIObject): Map<string, OfferedTool> {
  const operations = new Map(
    Object.entries(document.paths).flatMap(([path, methods]) =>
      (['get', 'post', 'patch', 'delete'] as const).flatMap((method) => {
        const operation = methods[method];
        return operation ? [[shapeOf(`${method.toUpperCase()} ${path}`), operation] as const] : [];
      }),
    ),
  );
  return new Map(
    TOOLS.flatMap((tool) => {
      const operation = operations.get(shapeOf(withBase(tool.route)));
      return operation === undefined ? [] : [[tool.name, offerOne(document, tool, operation)] as const];
    }),
  );
}

function offerOne(document: OpenAPIObject, tool: Tool, operation: Operation): OfferedTool {
  const [method = ''] = tool.route.split(' ', 1);
  const { $schema: _, ...inputSchema } = z.toJSONSchema(tool.input, { io: 'input', target: 'draft-7' });
  const isReading = method === 'GET';
  return {
    tool,
    method,
    isForAgents: AGENT_ROUTE_EXTENSION in operation || operation.security?.length === 0,
    listed: {
      name: tool.name,
      title: tool.title,
      description: tool.description,
      inputSchema: inputSchema as Listed['inputSchema'] & JsonSchema,
      outputSchema: outputSchema(document, tool, operation) as Listed['outputSchema'],
      annotations: {
        title: tool.title,
        readOnlyHint: isReading,
        destructiveHint: !isReading && tool.destructive === true,
        idempotentHint: isReading || tool.idempotent === true,
        openWorldHint: tool.openWorld === true,
      },
    },
  };
}

/** Lists are wrapped, since an answer must be an object; `next_cursor` tells where they go on. */
function outputSchema(document: OpenAPIObject, { shape }: Tool, { responses }: Operation): JsonSchema {
  const success = Object.entries(responses).find(([status]) => status.startsWith('2'))?.[1];
  const content = (success as { content?: Record<string, { schema?: object }> } | undefined)?.content;
  const { $defs, ...schema } = toJsonSchema(document, content?.['application/json']?.schema ?? {});
  const object: JsonSchema =
    schema.type === 'array'
      ? {
          type: 'object',
          properties: { items: schema, next_cursor: { type: 'string' } },
          required: ['items'],
        }
      : { ...schema, type: 'object' };
  const ofRoute = { ...object, ...($defs === undefined ? {} : { $defs }) };
  return shape?.schema(ofRoute) ?? ofRoute;
}

function withoutOwn(listed: OfferedTool['listed'] | Listed): Listed {
  const required = (listed.inputSchema.required ?? []).filter((name) => !OWN_ARGUMENTS.includes(name));
  return { ...listed, inputSchema: { ...listed.inputSchema, required } };
}

const withBase = (route: Route): string => route.replace(' ', ` ${BASE}`);

/** A route without the names of its parameters. */
const shapeOf = (route: string): string => route.replaceAll(/\{\w+\}/g, '{}');
