import { createParamDecorator, type ExecutionContext, SetMetadata } from '@nestjs/common';
import { type Request } from 'express';
import { type Identity } from './identity.js';

export const PUBLIC = 'entourage:public';
export const AGENT_ROUTE = 'entourage:agent-route';

/** The route needs no credential. Every other route does. */
export const Public = (): MethodDecorator & ClassDecorator => SetMetadata(PUBLIC, true);

/** The route also serves keys whose only scope is `agent`, as far as their own agent's work is concerned. */
export const AgentRoute = (): MethodDecorator & ClassDecorator => SetMetadata(AGENT_ROUTE, true);

/** The authenticated caller. Only on routes that are not `@Public()`. */
export const CurrentIdentity = createParamDecorator(
  (_: unknown, context: ExecutionContext): Identity =>
    context.switchToHttp().getRequest<Request & { user: Identity }>().user,
);
