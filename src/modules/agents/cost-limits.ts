import { validationFailed } from '../../errors/domain-error.js';

const LIMITS = ['daily_cost_limit_usd', 'task_cost_limit_usd'];

/**
 * The configuration is free, but for these: a limit that is no number would be none, and nobody would notice.
 * @throws DomainError `validation_failed`
 */
export function checkCostLimits(config: Record<string, unknown> | null | undefined): void {
  const errors = LIMITS.filter((name) => {
    const limit = config?.[name];
    return limit !== undefined && limit !== null && !(typeof limit === 'number' && limit >= 0);
  }).map((name) => ({ field: `config.${name}`, message: `${name} must be a number of dollars, 0 or more` }));
  if (errors.length > 0) throw validationFailed(errors);
}
