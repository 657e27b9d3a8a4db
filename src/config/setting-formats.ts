import { ValidateBy, type ValidationOptions } from 'class-validator';
import { isIP } from 'node:net';

const NAMED_NETWORKS = new Set(['loopback', 'linklocal', 'uniquelocal']);

function isPostgresUrl(value: unknown): boolean {
  return typeof value === 'string' && /^postgres(ql)?:\/\//.test(value) && URL.canParse(value);
}

function isHttpUrl(value: unknown): boolean {
  return typeof value === 'string' && /^https?:\/\//.test(value) && URL.canParse(value);
}

/** An address, `address/prefix`, or one of the names Express knows networks by. */
export function isNetwork(value: unknown): boolean {
  if (typeof value !== 'string') return false;
  if (NAMED_NETWORKS.has(value)) return true;
  const [address = '', prefix, ...rest] = value.split('/');
  const bits = { 0: -1, 4: 32, 6: 128 }[isIP(address)] ?? -1;
  return (
    bits > 0 &&
    rest.length === 0 &&
    (prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= bits))
  );
}

function isOrigin(value: unknown): boolean {
  return typeof value === 'string' && URL.canParse(value) && new URL(value).origin === value;
}

const format =
  (name: string, validate: (value: unknown) => boolean, message: string) =>
  (options?: ValidationOptions): PropertyDecorator =>
    ValidateBy({ name, validator: { validate, defaultMessage: () => message } }, options);

export const IsPostgresUrl = format('isPostgresUrl', isPostgresUrl, 'must be a postgres:// URL');
export const IsHttpUrl = format('isHttpUrl', isHttpUrl, 'must be an http(s) URL');
export const IsNetwork = format('isNetwork', isNetwork, 'must be addresses or networks such as 10.0.0.0/8');
export const IsOrigin = format('isOrigin', isOrigin, 'must be origins such as https://app.example.com');

/** For `@Transform`: a list of an environment variable. */
export const commaSeparated = ({ value }: { value: unknown }): unknown =>
  typeof value === 'string'
    ? value
        .split(',')
        .map((part) => part.trim())
        .filter(Boolean)
    : value;

/** For `@Transform`: a yes or no of an environment variable. */
export const flag = ({ value }: { value: unknown }): unknown =>
  value === 'true' || value === '1' ? true : value === 'false' || value === '0' ? false : value;
