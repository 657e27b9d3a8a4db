const MAX_BYTES = 64 * 1024;

/** Keeps the last 64 KiB of what a program prints, however much it prints, and blots out a secret in it, if there is one. */
export class OutputTail {
  private chunks: Buffer[] = [];
  private size = 0;
  private cut = false;
  private readonly secret: Buffer;
  private readonly blot: Buffer;

  constructor(secret: string) {
    this.secret = Buffer.from(secret);
    this.blot = Buffer.alloc(this.secret.length, '*');
  }

  add(chunk: Buffer): void {
    this.chunks.push(chunk);
    this.size += chunk.length;
    if (this.size > 4 * MAX_BYTES) this.compact();
  }

  /** As text PostgreSQL takes: whole characters, no NUL. */
  toString(): string {
    this.compact();
    const [kept = Buffer.alloc(0)] = this.chunks;
    if (this.secret.length > 0)
      for (let at = kept.indexOf(this.secret); at >= 0; at = kept.indexOf(this.secret, at))
        this.blot.copy(kept, at);
    const bytes = kept.subarray(-MAX_BYTES);
    let start = 0;
    if (this.cut) while (start < 4 && ((bytes[start] ?? 0) & 0xc0) === 0x80) start += 1;
    return bytes.subarray(start).toString('utf8').replaceAll('\0', '');
  }

  private compact(): void {
    const all = Buffer.concat(this.chunks);
    this.cut ||= all.length > MAX_BYTES;
    // As much more as a secret is long: one that the end of the kept text cuts through is found whole.
    this.chunks = [Buffer.from(all.subarray(-(MAX_BYTES + this.secret.length)))];
    this.size = this.chunks[0]?.length ?? 0;
  }
}
