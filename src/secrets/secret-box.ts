import { Injectable } from '@nestjs/common';
import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import { ResolvedSettings } from '../config/settings.js';

const VERSION = 1;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Encrypts what must be read back: AES-256-GCM (NIST SP 800-38D), a fresh nonce each time. */
@Injectable()
export class SecretBox {
  private readonly key: KeyObject;

  constructor(settings: ResolvedSettings) {
    this.key = createSecretKey(settings.ENTOURAGE_ENCRYPTION_KEY, 'base64');
  }

  /** `purpose` is authenticated with the secret: a value moved to another column or row does not open. */
  seal(secret: string, purpose: string): Buffer {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.key, nonce).setAAD(Buffer.from(purpose));
    const sealed = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final()]);
    return Buffer.concat([Buffer.of(VERSION), nonce, cipher.getAuthTag(), sealed]);
  }

  /** @throws Error when the bytes were changed, or sealed with another key or for another purpose. */
  open(sealed: Buffer, purpose: string): string {
    if (sealed[0] !== VERSION) throw new Error('a stored secret has an unknown format');
    const nonce = sealed.subarray(1, 1 + NONCE_BYTES);
    const tag = sealed.subarray(1 + NONCE_BYTES, 1 + NONCE_BYTES + TAG_BYTES);
    const decipher = createDecipheriv('aes-256-gcm', this.key, nonce)
      .setAAD(Buffer.from(purpose))
      .setAuthTag(tag);
    const text = sealed.subarray(1 + NONCE_BYTES + TAG_BYTES);
    return Buffer.concat([decipher.update(text), decipher.final()]).toString('utf8');
  }
}
