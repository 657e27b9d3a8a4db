import { createAppAuth } from '@octokit/auth-app';
import { Octokit } from '@octokit/core';
import { throttling } from '@octokit/plugin-throttling';
import { type OutboundHttp } from '../../../http-client/outbound-http.js';
import { VERSION } from '../../../config/version.js';
import { boundedFetch } from './bounded-fetch.js';
import { GithubError, githubError } from './github-error.js';
import { installationToken } from './installation-token.js';

/** As whom a client speaks, opened. */
export interface OpenCredential {
  org_id: string;
  revision: string;
  base_url: string;
  token?: string;
  app?: { app_id: number; installation_id: number; private_key: string };
}

export interface GithubClient {
  base_url: string;
  /** Speaks as the token's user, or as the App's installation. */
  octokit: Octokit;
  /** The App itself, and whether its installation gives a token. */
  app: { octokit: Octokit; authenticate(): Promise<unknown> } | null;
}

export interface ClientOptions {
  /** GitHub asks for a second between writes, and three between those that notify people. */
  spacing: boolean;
  /** Told of every failed call. */
  onError(error: GithubError): Promise<void>;
}

const SpacedOctokit = Octokit.plugin(throttling);
const silent = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
/** Waiting minutes inside a process helps nobody: the rows wait. See ADR 9, also for why there is no plugin-retry. */
const never = (): boolean => false;

/** A client of one organization's credentials. Every failed call is a GithubError. */
export function createClient(
  credential: OpenCredential,
  outbound: OutboundHttp,
  options: ClientOptions,
): GithubClient {
  const { org_id, revision, base_url, token, app } = credential;
  const common = {
    baseUrl: base_url,
    userAgent: `Entourage/${VERSION}`,
    request: { fetch: boundedFetch(outbound) },
    log: silent,
    throttle: {
      enabled: options.spacing,
      // Organizations do not wait for each other.
      id: `${org_id}:${revision}`,
      onRateLimit: never,
      onSecondaryRateLimit: never,
    },
  };
  if (app === undefined) {
    const octokit = new SpacedOctokit({ ...common, auth: token });
    failTyped(octokit, options);
    return { base_url, octokit, app: null };
  }
  const asApp = new SpacedOctokit({
    ...common,
    authStrategy: createAppAuth,
    auth: { appId: app.app_id, privateKey: app.private_key },
  });
  failTyped(asApp, options);
  const octokit = new SpacedOctokit(common);
  const tokens = installationToken(asApp, app.installation_id);
  octokit.hook.before('request', async (request) => {
    request.headers.authorization = `token ${await tokens.current()}`;
  });
  failTyped(octokit, {
    ...options,
    onError: (error) => {
      // Revoked before its time: the next attempt gets another.
      if (error.kind === 'unauthorized') tokens.forget();
      return options.onError(error);
    },
  });
  return { base_url, octokit, app: { octokit: asApp, authenticate: () => tokens.current() } };
}

/** Registered last, so that it sees what every other hook leaves. */
function failTyped(octokit: Octokit, { onError }: Pick<ClientOptions, 'onError'>): void {
  octokit.hook.error('request', async (error) => {
    const known = error instanceof GithubError;
    const typed = githubError(error, new Date());
    if (!known) await onError(typed);
    throw typed;
  });
}
