import { promisify } from 'node:util';
import { zstdCompress, zstdDecompress } from 'node:zlib';

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);
/** Above the largest body that is accepted, so that a damaged row cannot fill the memory. */
const MAX_BYTES = 32 * 1024 * 1024;

export const packBody = (raw: Buffer): Promise<Buffer> => compress(raw);

export const unpackBody = (packed: Buffer): Promise<Buffer> =>
  decompress(packed, { maxOutputLength: MAX_BYTES });
