import { promisify } from 'node:util';
import { zstdCompress, zstdCompressSync, zstdDecompress } from 'node:zlib';

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);
/** Above the largest body that is accepted, so that a damaged row cannot fill the memory. */
const MAX_BYTES = 32 * 1024 * 1024;

/** Up to here compressing at once costs less than handing the work to a thread and back. */
const SMALL_BYTES = 64 * 1024;

export async function packBody(raw: Buffer): Promise<Buffer> {
  // Knowing the size zstd takes tables that fit it, not those for megabytes.
  const options = { pledgedSrcSize: raw.length };
  return raw.length <= SMALL_BYTES ? zstdCompressSync(raw, options) : compress(raw, options);
}

export const unpackBody = (packed: Buffer): Promise<Buffer> =>
  decompress(packed, { maxOutputLength: MAX_BYTES });
