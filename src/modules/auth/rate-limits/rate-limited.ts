import { SetMetadata } from '@nestjs/common';

export const RATE_LIMITED = 'entourage:rate-limited';

/**
 * Limits a `@Public()` route, which else has no limit: `caller` as every other route, `login` by the stricter limit per
 * address and per account that the body's `email` names.
 */
export const RateLimited = (limit: 'caller' | 'login'): MethodDecorator => SetMetadata(RATE_LIMITED, limit);
