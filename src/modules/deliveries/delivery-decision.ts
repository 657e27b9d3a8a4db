/** How the signature was judged; everything but `valid` and `valid_previous` is answered 401. */
export type SignatureVerdict =
  'valid' | 'valid_previous' | 'missing' | 'sha1_only' | 'malformed' | 'mismatch' | 'no_secret';

export interface FilterVerdict {
  /** `active`, `events`, `repository`, `team`, `lifecycle`, `trust`, `duplicate`, … */
  filter: string;
  passed: boolean;
  detail: string;
}

/** Why a delivery had the effect it had. */
export interface DeliveryDecision {
  signature?: SignatureVerdict;
  filters?: FilterVerdict[];
  assignment?: { agent_id: string | null; agent_name: string | null; reason: string };
  warnings?: string[];
}
