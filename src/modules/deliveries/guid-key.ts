import { v1ToV6 } from 'uuid';

const VERSION_1 = /^[0-9a-f]{8}-[0-9a-f]{4}-1[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/**
 * Under what a GUID is kept in `delivery_keys`. Those of GitHub are uuids of version 1, whose time begins with what changes
 * fastest: each would go to another page of the index, which after every checkpoint is written to the WAL whole. As
 * version 6, the same fields in the order of time (RFC 9562, section 5.6), they go to the last page. Any other stays.
 */
export const guidKey = (guid: string): string => (VERSION_1.test(guid) ? v1ToV6(guid) : guid);
