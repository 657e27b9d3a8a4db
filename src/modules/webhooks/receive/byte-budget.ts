/** Bytes of a body that count as ordinary; what goes beyond is drawn from the part for large bodies. */
const ORDINARY = 256 * 1024;

/** One body's part of the budget. */
export interface ByteShare {
  /** False when there is no room for so many more bytes. */
  take(bytes: number): boolean;
  /** Gives everything back; again does nothing. */
  release(): void;
}

/**
 * Bounds what is held of request bodies at once. Two parts, so that a few senders of huge bodies, who need no secret
 * for it, cannot keep ordinary deliveries out.
 */
export class ByteBudget {
  private ordinary = 0;
  private large = 0;

  constructor(
    private readonly maxOrdinary: number,
    private readonly maxLarge: number,
  ) {}

  get held(): number {
    return this.ordinary + this.large;
  }

  open(): ByteShare {
    let taken = 0;
    const split = (bytes: number): { ordinary: number; large: number } => ({
      ordinary: Math.min(bytes, ORDINARY),
      large: Math.max(0, bytes - ORDINARY),
    });
    return {
      take: (bytes) => {
        const before = split(taken);
        const after = split(taken + bytes);
        const ordinary = this.ordinary + after.ordinary - before.ordinary;
        const large = this.large + after.large - before.large;
        if (ordinary > this.maxOrdinary || large > this.maxLarge) return false;
        this.ordinary = ordinary;
        this.large = large;
        taken += bytes;
        return true;
      },
      release: () => {
        const part = split(taken);
        this.ordinary -= part.ordinary;
        this.large -= part.large;
        taken = 0;
      },
    };
  }
}
