import { setTimeout as delay } from 'node:timers/promises';

export interface Answer {
  status: number;
  json: ReturnType<typeof JSON.parse>;
}

/** What may be answered while processes and the database come and go; anything else has to be final. */
const COME_AGAIN = new Set([429, 503]);

/**
 * Sends a request to one api after the other until one of them answers for good: what a client does that has been given
 * several addresses. An answer that no client should get while things come and go is a fault.
 */
export class Callers {
  readonly faults: string[] = [];
  private next = 0;
  private closed = false;

  constructor(private readonly urls: () => string[]) {}

  async insist(path: string, body: string | object, headers: Record<string, string>): Promise<Answer> {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    while (!this.closed) {
      const answer = await this.once(path, text, headers);
      if (answer !== null && !COME_AGAIN.has(answer.status)) {
        if (answer.status < 500) return answer;
        this.faults.push(`POST ${path} was answered ${answer.status}: ${JSON.stringify(answer.json)}`);
      }
      await delay(50);
    }
    throw new Error('nobody waits for the answer any more');
  }

  /** The api whose turn it is. */
  get url(): string | undefined {
    const urls = this.urls();
    return urls[this.next % urls.length];
  }

  close(): void {
    this.closed = true;
  }

  private async once(path: string, body: string, headers: Record<string, string>): Promise<Answer | null> {
    this.next += 1;
    const { url } = this;
    if (url === undefined) return null;
    try {
      const answer = await fetch(`${url}${path}`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', ...headers },
        body,
        signal: AbortSignal.timeout(10_000),
      });
      return { status: answer.status, json: await answer.json() };
    } catch {
      // Killed under way: nobody knows whether it had an effect.
      return null;
    }
  }
}
