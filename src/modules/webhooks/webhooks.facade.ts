/** What other modules use of this one, besides its entities and services. */
export { type WebhookConfig, type WriteBack, writeBackOf } from './webhook-config.js';
export { listensTo } from './webhook-events.js';
