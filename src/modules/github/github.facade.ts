/** How other modules call GitHub with an organization's credentials. */
export { type GithubClient } from './client/create-client.js';
export { GithubClients } from './client/github-clients.js';
export { GithubError } from './client/github-error.js';
export { assertSameHost } from './write-back/assert-same-host.js';
