import { type Role } from '../../../src/config/settings.js';
import { ChildService } from '../child-service.js';
import { until } from '../until.js';

const NOBODY_FORESAW = /unexpected error|uncaughtException|unhandledRejection/;

/** A place for a process, as an orchestrator keeps one: whoever ends in it is followed by the next. */
export class Place {
  /** Where the present process listens; null while there is none that does. */
  url: string | null = null;
  private process: ChildService | null = null;
  private killed = false;
  private closing = false;
  private readonly kept: Promise<void>;

  constructor(
    readonly role: Role,
    private readonly env: Record<string, string>,
    /** Told what no process may do by itself. */
    private readonly fault: (what: string) => void,
  ) {
    this.kept = this.keep();
  }

  get pid(): number | undefined {
    return this.process?.pid;
  }

  kill(): void {
    this.killed = true;
    this.url = null;
    this.process?.signal('SIGKILL');
  }

  /** Asks the process to stop, which must work. */
  async close(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    this.closing = true;
    if (signal === 'SIGKILL') this.killed = true;
    this.process?.signal(signal);
    await this.kept;
  }

  private async keep(): Promise<void> {
    while (!this.closing) {
      this.killed = false;
      const child = new ChildService({ ...this.env, ENTOURAGE_ROLES: this.role });
      this.process = child;
      const listens = await child.ready().then(
        (url) => {
          if (!this.killed) this.url = url;
          return true;
        },
        () => false,
      );
      const { code, signal } = await child.exited;
      this.url = null;
      for (const line of child.log.split('\n')) if (NOBODY_FORESAW.test(line)) this.fault(line);
      if (this.killed) continue;
      // One that starts while the database is away says so and ends; one that serves ends only when it is told to.
      const asked = this.closing && code === 0;
      const away =
        !listens && /PostgreSQL at DATABASE_URL (does not answer|is not available)/.test(child.said);
      if (!asked && !away)
        this.fault(`a process ended by itself (${code ?? signal}):\n${child.said}${child.log.slice(-2000)}`);
    }
  }
}

/** Processes of all roles on one database. */
export class Fleet {
  readonly faults: string[] = [];
  private readonly places: Place[];

  constructor(roles: Role[], env: Record<string, string>) {
    this.places = roles.map((role) => new Place(role, env, (fault) => this.faults.push(fault)));
  }

  /** Where the processes of a role listen at this moment. */
  urls(role: Role): string[] {
    return this.serving(role).map(({ url }) => url as string);
  }

  serving(role: Role): Place[] {
    return this.places.filter((place) => place.role === role && place.url !== null);
  }

  async ready(): Promise<void> {
    await until(
      () => {
        if (this.faults.length > 0) throw new Error(this.faults.join('\n'));
        return this.places.every(({ url }) => url !== null);
      },
      'every process to listen',
      90_000,
    );
  }

  async close(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    await Promise.all(this.places.map((place) => place.close(signal)));
  }
}
