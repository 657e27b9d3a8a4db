import { createPrivateKey } from 'node:crypto';
import { type FieldError } from '../../../errors/domain-error.js';
import { type GithubCredential } from './github-credential.entity.js';
import { type PutGithubCredentialsDto } from './github-credentials.dto.js';

const DEFAULT_BASE_URL = 'https://api.github.com';

type Parsed = Pick<GithubCredential, 'kind' | 'hint' | 'app_id' | 'installation_id' | 'base_url'> & {
  plain: string;
};

/** What a request to save credentials means, or what is wrong with it. Whether the URL may be called is asked later. */
export function parseCredentials(given: PutGithubCredentialsDto): Parsed | FieldError[] {
  const token = given.token ?? null;
  const app = given.app ?? null;
  const base_url = (given.base_url ?? DEFAULT_BASE_URL).trim().replace(/\/+$/, '');
  const faults: FieldError[] = [];
  const refuse = (field: string, message: string): void => void faults.push({ field, message });
  if ((token === null) === (app === null)) refuse('token', 'give either token or app, and not both');
  if (token !== null && !/^[\x21-\x7e]+$/.test(token))
    refuse('token', 'must hold printable ASCII characters only, without spaces');
  const key = app === null ? null : readKey(app.private_key);
  if (app !== null && key === null) refuse('app.private_key', 'must be an RSA private key as PEM');
  if (!URL.canParse(base_url) || /[?#]/.test(base_url))
    refuse('base_url', 'must be an http or https URL without query');
  if (faults.length > 0) return faults;
  return app === null
    ? {
        kind: 'token',
        plain: token ?? '',
        hint: (token ?? '').slice(-4),
        app_id: null,
        installation_id: null,
        base_url,
      }
    : {
        kind: 'app',
        plain: key ?? '',
        hint: null,
        app_id: app.app_id,
        installation_id: app.installation_id,
        base_url,
      };
}

/** Line ends that were lost on the way, as in a variable of one line, are put back. Kept in the form that every client reads. */
function readKey(pem: string): string | null {
  try {
    const key = createPrivateKey(pem.replaceAll('\\n', '\n').trim());
    return key.asymmetricKeyType === 'rsa' ? key.export({ type: 'pkcs8', format: 'pem' }).toString() : null;
  } catch {
    return null;
  }
}
