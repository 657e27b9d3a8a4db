import { createHash, randomBytes } from 'node:crypto';

const FORMAT = /^oc_[\w-]{43}$/;

/** A new key: 256 random bits, so that its plain SHA-256 is safe to look it up by. */
export const generateApiKey = (): string => `oc_${randomBytes(32).toString('base64url')}`;

export const isApiKey = (text: string): boolean => FORMAT.test(text);

export const hashApiKey = (key: string): Buffer => createHash('sha256').update(key).digest();
