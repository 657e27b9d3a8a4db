import { hash, verify } from '@node-rs/argon2';
import { randomBytes } from 'node:crypto';

/** argon2id with the package's defaults, which are OWASP's: 19 MiB, 2 passes, 1 lane. */
export const hashPassword = (password: string): Promise<string> => hash(password);

let nobodysHash: Promise<string> | undefined;

/** Whether the password is the one of `stored`. Where there is no account, the same work is done, for nothing. */
export async function checkPassword(stored: string | undefined, password: string): Promise<boolean> {
  const against = stored ?? (await (nobodysHash ??= hashPassword(randomBytes(32).toString('hex'))));
  const matches = await verify(against, password).catch(() => false);
  return stored !== undefined && matches;
}
