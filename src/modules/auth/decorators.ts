import { applyDecorators, createParamDecorator, type ExecutionContext, SetMetadata } from '@nestjs/common';
import { ApiExtension } from '@nestjs/swagger';
import { type Request } from 'express';
import { type Identity } from './identity.js';

export const PUBLIC = 'entourage:public';
export const AGENT_ROUTE = 'entourage:agent-route';
export const ANY_SCOPE = 'entourage:any-scope';
/** Marks, in the OpenAPI document, what `@AgentRoute()` marks. */
export const AGENT_ROUTE_EXTENSION = 'x-agent-route';

/** The route needs no credential. Every other route does. */
export const Public = (): MethodDecorator & ClassDecorator => SetMetadata(PUBLIC, true);

/** The route also serves keys whose only scope is `agent`, as far as their own agent's work is concerned. */
export const AgentRoute = (): MethodDecorator & ClassDecorator =>
  applyDecorators(SetMetadata(AGENT_ROUTE, true), ApiExtension(AGENT_ROUTE_EXTENSION, true));

/** The route serves every valid credential: what it leads to asks for scopes itself. */
export const AnyScope = (): MethodDecorator & ClassDecorator => SetMetadata(ANY_SCOPE, true);

/** The authenticated caller. Only on routes that are not `@Public()`. */
export const CurrentIdentity = createParamDecorator(
  (_: unknown, context: ExecutionContext): Identity =>
    context.switchToHttp().getRequest<Request & { user: Identity }>().user,
);
