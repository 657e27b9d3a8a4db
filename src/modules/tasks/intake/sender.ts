import { type Actor } from '../../auth/identity.js';
import { type SourceChange } from '../source-change.js';

/** Who caused the event on GitHub. */
export const senderOf = ({ sender }: SourceChange): Actor => ({ type: 'github', id: sender ?? 'unknown' });
