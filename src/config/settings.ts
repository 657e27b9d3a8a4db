import 'reflect-metadata';
import { Transform, Type } from 'class-transformer';
import {
  ArrayNotEmpty,
  getMetadataStorage,
  IsBoolean,
  IsIn,
  IsInt,
  IsNumber,
  IsOptional,
  IsString,
  Matches,
  Max,
  Min,
  MinLength,
} from 'class-validator';
import { commaSeparated, flag, IsHttpUrl, IsNetwork, IsOrigin, IsPostgresUrl } from './setting-formats.js';

export const ROLES = ['api', 'dispatcher', 'notifier'] as const;
export type Role = (typeof ROLES)[number];

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

/**
 * Every variable the service reads, with its default. Property names are the variables' own names, so that a
 * fault, the README and `.env.example` all say the same word.
 */
export class Settings {
  /** TCP port of the HTTP API. */
  @Type(() => Number)
  @IsInt({ message: 'must be a whole number' })
  @Min(0)
  @Max(65535)
  PORT: number = 8000;

  /** Address the HTTP API listens on. */
  @IsString()
  HOST: string = '127.0.0.1';

  /** Connections of callers at once; one more is closed as soon as it is made. */
  @Type(() => Number)
  @IsInt({ message: 'must be a whole number' })
  @Min(10)
  @Max(1_000_000)
  ENTOURAGE_MAX_CONNECTIONS: number = 5000;

  /** Of those, from one address (of IPv6, one /64); 0 for no such limit. Trusted proxies have none. */
  @Type(() => Number)
  @IsInt({ message: 'must be a whole number' })
  @Min(0)
  @Max(1_000_000)
  ENTOURAGE_MAX_CONNECTIONS_PER_ADDRESS: number = 1000;

  /** Seconds in which a request must have arrived, its body included; its headers in ten of them at the most. */
  @Type(() => Number)
  @IsNumber({}, { message: 'must be a number' })
  @Min(1)
  @Max(3600)
  ENTOURAGE_REQUEST_SECONDS: number = 30;

  /** PostgreSQL to use; unset starts an embedded one in the data directory. */
  @IsOptional()
  @IsPostgresUrl()
  DATABASE_URL?: string;

  /** Direct PostgreSQL URL for LISTEN and migrations, where DATABASE_URL goes through a transaction pooler. */
  @IsOptional()
  @IsPostgresUrl()
  DATABASE_DIRECT_URL?: string;

  /** Whether pending migrations are applied at the start; `false` waits until `npm run migrate` has applied them. */
  @Transform(flag)
  @IsBoolean({ message: 'must be true or false' })
  ENTOURAGE_MIGRATE: boolean = true;

  /** Where the embedded database and the generated secrets live. */
  @IsString()
  ENTOURAGE_DATA_DIR: string = '.entourage';

  /** Key of the HS256 signatures on access and refresh tokens; generated beside the embedded database. */
  @IsOptional()
  @MinLength(32, { message: 'must be at least 32 characters' })
  ENTOURAGE_JWT_SECRET?: string;

  /** 32 bytes in base64: the AES-256-GCM key of the secrets kept in the database. */
  @IsOptional()
  @Matches(/^[A-Za-z0-9+/]{43}=$/, { message: 'must be 32 bytes in base64 (openssl rand -base64 32)' })
  ENTOURAGE_ENCRYPTION_KEY?: string;

  /** What this process does: any of api, dispatcher, notifier. */
  @Transform(commaSeparated)
  @ArrayNotEmpty()
  @IsIn(ROLES, { each: true, message: `must be a comma-separated list of ${ROLES.join(', ')}` })
  ENTOURAGE_ROLES: Role[] = [...ROLES];

  /** Connections in this process's pool. */
  @Type(() => Number)
  @IsInt({ message: 'must be a whole number' })
  @Min(2)
  @Max(200)
  ENTOURAGE_DB_POOL_SIZE: number = 10;

  /** Days a delivery is kept before its partition is dropped. */
  @Type(() => Number)
  @IsInt({ message: 'must be a whole number' })
  @Min(1)
  @Max(3650)
  ENTOURAGE_DELIVERY_RETENTION_DAYS: number = 90;

  /** Where users reach the service from outside; used for links. */
  @IsOptional()
  @IsHttpUrl()
  ENTOURAGE_PUBLIC_URL?: string;

  /** Origins browsers may call the API from; empty keeps CORS off. */
  @Transform(commaSeparated)
  @IsOrigin({ each: true })
  ENTOURAGE_CORS_ORIGINS: string[] = [];

  /** Addresses or CIDRs of proxies whose X-Forwarded-* headers are believed. */
  @Transform(commaSeparated)
  @IsNetwork({ each: true })
  ENTOURAGE_TRUSTED_PROXIES: string[] = [];

  /** Directory under which every registered repository's path must lie. */
  @IsOptional()
  @IsString()
  ENTOURAGE_REPOS_DIR?: string;

  /** JSON file with the programs that the `command` runtime and the checks before a merge may start. */
  @IsOptional()
  @IsString()
  ENTOURAGE_COMMANDS_FILE?: string;

  /** Private networks (CIDR) that may be called: agents' `http` runtimes, outbound webhooks, GitHub Enterprise Server. */
  @Transform(commaSeparated)
  @IsNetwork({ each: true })
  ENTOURAGE_OUTBOUND_ALLOW_CIDRS: string[] = [];

  /** Whether only https URLs may be called. */
  @Transform(flag)
  @IsBoolean({ message: 'must be true or false' })
  ENTOURAGE_OUTBOUND_HTTPS_ONLY: boolean = false;

  /** Seconds a run or a merge may go without a heartbeat before it counts as lost. */
  @Type(() => Number)
  @IsInt({ message: 'must be a whole number' })
  @Min(2)
  @Max(86_400)
  ENTOURAGE_RUN_LEASE_SECONDS: number = 60;

  /** How often a task is tried before it goes back to `todo` and waits for a person. */
  @Type(() => Number)
  @IsInt({ message: 'must be a whole number' })
  @Min(1)
  @Max(100)
  ENTOURAGE_RUN_MAX_ATTEMPTS: number = 3;

  /** Seconds before the first retry of a failed run; doubles with each further one, up to an hour. */
  @Type(() => Number)
  @IsNumber({}, { message: 'must be a number' })
  @Min(0)
  @Max(3600)
  ENTOURAGE_RUN_BACKOFF_SECONDS: number = 10;

  /** Seconds of silence after which a session outside of a run counts as ended. */
  @Type(() => Number)
  @IsNumber({}, { message: 'must be a number' })
  @Min(1)
  @Max(86_400)
  ENTOURAGE_SESSION_SILENCE_SECONDS: number = 1800;

  /** Runs this process supervises at once. */
  @Type(() => Number)
  @IsInt({ message: 'must be a whole number' })
  @Min(1)
  @Max(1000)
  ENTOURAGE_MAX_CONCURRENT_RUNS: number = 32;

  /** Notifications of outside systems this process sends at once. */
  @Type(() => Number)
  @IsInt({ message: 'must be a whole number' })
  @Min(1)
  @Max(2000)
  ENTOURAGE_MAX_CONCURRENT_NOTIFICATIONS: number = 200;

  /** Seconds after which a notification whose sender died is sent again; an attempt takes 15 s at the most, and less than this. */
  @Type(() => Number)
  @IsInt({ message: 'must be a whole number' })
  @Min(2)
  @Max(3600)
  ENTOURAGE_NOTIFY_LEASE_SECONDS: number = 30;

  /** Seconds between full looks at the database, should every notification be lost. */
  @Type(() => Number)
  @IsNumber({}, { message: 'must be a number' })
  @Min(0.1)
  @Max(3600)
  ENTOURAGE_POLL_SECONDS: number = 5;

  /** Requests per minute and caller on the management API; 0 switches the limit off. */
  @Type(() => Number)
  @IsInt({ message: 'must be a whole number' })
  @Min(0)
  ENTOURAGE_RATE_LIMIT_PER_MINUTE: number = 600;

  /** Login and register attempts per minute, per address and per account; 0 switches the limit off. */
  @Type(() => Number)
  @IsInt({ message: 'must be a whole number' })
  @Min(0)
  ENTOURAGE_LOGIN_RATE_LIMIT_PER_MINUTE: number = 10;

  /** Deliveries without a valid signature per minute, per address and webhook; 0 switches the limit off. */
  @Type(() => Number)
  @IsInt({ message: 'must be a whole number' })
  @Min(0)
  ENTOURAGE_RECEIVE_REFUSED_PER_MINUTE: number = 120;

  /** Deliveries that may wait for the database at once; one more is answered 503 at once. */
  @Type(() => Number)
  @IsInt({ message: 'must be a whole number' })
  @Min(1)
  @Max(100_000)
  ENTOURAGE_MAX_WAITING_DELIVERIES: number = 2000;

  /** Seconds a shutdown waits for requests and runs to finish. */
  @Type(() => Number)
  @IsNumber({}, { message: 'must be a number' })
  @Min(0)
  @Max(3600)
  ENTOURAGE_SHUTDOWN_GRACE_SECONDS: number = 10;

  /** Seconds a task may wait for a free agent's start before the service calls itself not ready. */
  @Type(() => Number)
  @IsNumber({}, { message: 'must be a number' })
  @Min(1)
  @Max(86_400)
  ENTOURAGE_MAX_DISPATCH_WAIT_SECONDS: number = 300;

  /** What `GET /metrics` asks for as a bearer token; unset leaves it open: it names no tenant. */
  @IsOptional()
  @MinLength(16, { message: 'must be at least 16 characters' })
  ENTOURAGE_METRICS_TOKEN?: string;

  /** Least level of the log lines: fatal, error, warn, info, debug, trace or silent. */
  @IsIn(LOG_LEVELS, { message: `must be one of ${LOG_LEVELS.join(', ')}` })
  ENTOURAGE_LOG_LEVEL: (typeof LOG_LEVELS)[number] = 'info';

  /** Human-readable log lines instead of JSON; the default is whether the output is a terminal. */
  @Transform(flag)
  @IsBoolean({ message: 'must be true or false' })
  ENTOURAGE_LOG_PRETTY: boolean = process.stdout.isTTY ?? false;
}

/** The settings of a service whose database and secrets are known: what every module is given. */
export class ResolvedSettings extends Settings {
  declare DATABASE_URL: string;
  declare ENTOURAGE_JWT_SECRET: string;
  declare ENTOURAGE_ENCRYPTION_KEY: string;
}

/** Every variable's name, in the order they are declared. */
export const SETTING_NAMES: readonly string[] = [
  ...new Set(
    getMetadataStorage()
      .getTargetValidationMetadatas(Settings, '', false, false)
      .map(({ propertyName }) => propertyName),
  ),
];
