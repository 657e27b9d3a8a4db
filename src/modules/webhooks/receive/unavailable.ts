import { DomainError } from '../../../errors/domain-error.js';

/** The answer when nothing could be made durable: never a 2xx, and soon. */
export const unavailable = (): DomainError =>
  new DomainError('service_unavailable', 'The delivery could not be stored; send it again', {
    headers: { 'Retry-After': '5' },
  });
