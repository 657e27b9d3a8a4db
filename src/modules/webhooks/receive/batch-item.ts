import { DomainError } from '../../../errors/domain-error.js';
import { type SourceOutcome } from '../../tasks/source-change.js';
import { type Judgement } from './judge-delivery.js';
import { type ReceiveAnswerDto } from './receive.dto.js';
import { type Received } from './received.js';

/** One request on its way into the database. */
export interface BatchItem {
  received: Received;
  /** As stored: the whole body, or of a refused request its beginning. */
  packed: Buffer;
  /**
   * `receive` claims the GUID; `replay` is an operator's wish to process a recorded delivery again; `refusal` is only
   * written down.
   */
  purpose: 'receive' | 'replay' | 'refusal';
  /** Null for a refusal, and as long as the webhook has to be looked at again. */
  judgement: Judgement | null;
  /** Of a refusal: stable code and text for the log. */
  refused?: { reason: string; error: string | null; warnings?: string[] };
}

/** How the transaction handled an item. */
export type BatchResult = { answer: ReceiveAnswerDto } | { failure: DomainError };

/** What an item turned out to be beside the others and those before it. */
export type Standing =
  /** Nothing is known of it: it is recorded and has its effect. */
  | { kind: 'new' }
  /** A recorded delivery that had no effect is tried again, in its own row. */
  | { kind: 'again'; delivery_id: string; correlation_id: string; processed: boolean }
  | { kind: 'duplicate'; delivery_id: string; task_id: number | null; event_type: string }
  /** The same as an item of this very batch. */
  | { kind: 'twin'; of: BatchItem }
  /** The body came before under another GUID. */
  | { kind: 'replayed'; original: BatchItem | null; task_id: number | null }
  | { kind: 'mismatch' }
  /** Its webhook has changed meanwhile, and now the request is refused. */
  | { kind: 'refused'; failure: DomainError };

/** An item with all that has been found out about it. */
export interface Placed {
  item: BatchItem;
  standing: Standing;
  outcome: SourceOutcome | null;
}

export const notSigned = (): DomainError => new DomainError('invalid_signature', 'Invalid signature');
export const noSuchWebhook = (): DomainError => new DomainError('webhook_not_found', 'Webhook not found');
