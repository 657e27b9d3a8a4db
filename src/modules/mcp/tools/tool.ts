import { z } from 'zod';
import { type JsonSchema } from '../json-schema.js';
import { type ToolCall } from '../tool-call.js';

/** `POST /tasks/{task_id}/status`: method and path below `/api/v1`. Arguments fill the path by their names. */
export type Route = `${'GET' | 'POST' | 'PATCH' | 'DELETE'} /${string}`;

/** How an answer of the route becomes the answer of the tool, where that is not the same. */
export interface Shape {
  schema(ofRoute: JsonSchema): JsonSchema;
  of(body: unknown): unknown;
  /** For people and older clients; JSON without it. */
  text?(body: unknown): string;
}

export interface ToolOptions {
  input?: z.ZodRawShape;
  /** Arguments that go into the query, although the route has a body. */
  query?: string[];
  /** What the call says beside its arguments. */
  adds?: Record<string, unknown>;
  /** Changes that take something away, or that cannot be taken back. */
  destructive?: boolean;
  /** The same call again changes nothing more. */
  idempotent?: boolean;
  /** Reaches beyond this service: GitHub, a remote, people. */
  openWorld?: boolean;
  /** May take as long as its caller lets it: the answer is a stream. */
  waits?: boolean;
  shape?: Shape;
  /** What it does, where that is more than one call of its route. */
  run?(call: ToolCall): Promise<unknown>;
}

/** A tool stands for a route: whoever calls it may do what the route lets them do, and nothing else. */
export interface Tool extends Omit<ToolOptions, 'input'> {
  name: string;
  title: string;
  /** For the agent that chooses: what it does, when to use it, what it answers. */
  description: string;
  route: Route;
  input: z.ZodObject;
}

export const tool = (
  name: string,
  title: string,
  route: Route,
  description: string,
  { input = {}, ...options }: ToolOptions = {},
): Tool => ({ name, title, route, description, input: z.object(input), ...options });

/** Their forms and limits are the routes' business: here they are described, and asked for. */
export const uuid = (description: string): z.ZodString =>
  z.string().min(1).meta({ description, format: 'uuid' });
export const id = (description: string): z.ZodNumber =>
  z.number().meta({ description, type: 'integer', minimum: 1 });
export const text = (description: string): z.ZodString => z.string().describe(description);
export const count = (description: string): z.ZodNumber => z.number().describe(description);
export const flag = (description: string): z.ZodBoolean => z.boolean().describe(description);
export const oneOf = <const T extends readonly [string, ...string[]]>(values: T, description: string) =>
  z.enum(values).describe(description);
export const list = <T extends z.ZodType>(of: T, description: string): z.ZodArray<T> =>
  z.array(of).describe(description);

/** Arguments that most tools share. */
export const ORG = { org_id: uuid('The organization') };
export const TEAM = { team_id: uuid("The team; an agent's key may leave it out: its own") };
export const AGENT = { agent_id: uuid("The agent; an agent's key may leave it out: itself") };
export const TASK = { task_id: id('The task') };
export const TASK_AND_REPO = { ...TASK, repo_id: uuid('The repository, one of list_repos') };
export const PAGE = {
  limit: count('Rows to answer, at most 500').optional(),
  cursor: text('`next_cursor` of the answer before: goes on from there').optional(),
};

/** Half of a list's answer that is of interest: `dependent_tasks` of a task. */
export const part = (name: string): Shape => ({
  schema: (ofRoute) => ({
    type: 'object',
    properties: { items: ofRoute.properties?.[name] ?? { type: 'array' } },
    required: ['items'],
    ...(ofRoute.$defs ? { $defs: ofRoute.$defs } : {}),
  }),
  of: (body) => ({ items: (body as Record<string, unknown>)[name] ?? [] }),
  text: (body) => JSON.stringify((body as Record<string, unknown>)[name] ?? []),
});
