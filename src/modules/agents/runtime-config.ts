import { plainToInstance } from 'class-transformer';
import { IsInt, IsOptional, IsUrl, Matches, Max, Min, validateSync } from 'class-validator';
import { validationFailed } from '../../errors/domain-error.js';
import { Text } from '../../http/fields.js';
import { type AgentRuntime } from './agent.entity.js';

class Timed {
  /** Seconds a run may take. */
  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(86_400)
  timeout_seconds?: number;
}

class CommandConfig extends Timed {
  /** Name of a program in the server's own list; never a program itself. */
  @Matches(/^[\w.-]+$/, { message: 'command must be the name of a command of the server' })
  @Text(1, 100)
  command: string;
}

class HttpConfig extends Timed {
  @IsUrl(
    {
      require_tld: false,
      require_protocol: true,
      protocols: ['http', 'https'],
      disallow_auth: true,
      allow_fragments: false,
    },
    { message: 'url must be an http(s) URL without credentials and fragment' },
  )
  @Text(1, 2048)
  url: string;
}

const checked = (runtime: 'command' | 'http', given: Record<string, unknown>): Timed =>
  runtime === 'command' ? plainToInstance(CommandConfig, given) : plainToInstance(HttpConfig, given);

/**
 * What a runtime needs to know, checked; keys that the runtime does not know are dropped.
 * @throws DomainError `validation_failed`, each fault under `runtime_config.…`
 */
export function checkRuntimeConfig(
  runtime: AgentRuntime,
  given: Record<string, unknown>,
): Record<string, unknown> {
  if (runtime === 'pull') return {};
  const config = checked(runtime, given);
  const errors = validateSync(config, { whitelist: true }).map((fault) => ({
    field: `runtime_config.${fault.property}`,
    message: Object.values(fault.constraints ?? {})[0] ?? 'is wrong',
  }));
  if (errors.length > 0) throw validationFailed(errors);
  return Object.fromEntries(
    Object.entries(config).filter(([, value]) => value !== undefined && value !== null),
  );
}
