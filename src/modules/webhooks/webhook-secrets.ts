import { Injectable } from '@nestjs/common';
import { randomBytes } from 'node:crypto';
import { SecretBox } from '../../secrets/secret-box.js';

const SECRET_BYTES = 32;

const purpose = (webhook_id: string): string => `webhook:${webhook_id}:secret`;

/** The secrets shared with GitHub: made here, kept encrypted, opened only to verify signatures. */
@Injectable()
export class WebhookSecrets {
  constructor(private readonly box: SecretBox) {}

  generate(webhook_id: string): { plain: string; sealed: Buffer; hint: string } {
    const plain = `whsec_${randomBytes(SECRET_BYTES).toString('base64url')}`;
    return { plain, sealed: this.box.seal(plain, purpose(webhook_id)), hint: plain.slice(-4) };
  }

  /** Null for a secret that is missing, empty or does not open: nothing then verifies. */
  open(webhook_id: string, sealed: Buffer | null): string | null {
    if (sealed === null || sealed.length === 0) return null;
    try {
      return this.box.open(sealed, purpose(webhook_id)) || null;
    } catch {
      return null;
    }
  }
}
