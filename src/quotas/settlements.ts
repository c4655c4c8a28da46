/**
 * Settlements on their way to the store. One that the store does not take is repeated until its reservation expires: by then a repetition could no
 * longer tell whether it had been counted before. What is lost is logged and counted.
 */
import type { Logger } from '../observability/logger.ts';
import type { CounterStore, Settlement } from './counters.ts';

export interface SettlementsOptions {
  /** milliseconds after which the store gives a reservation back */
  readonly expiry: number;
  readonly logger: Logger;
  readonly onLost: () => void;
}

interface Waiting {
  readonly settlement: Settlement;
  /** names of its quotas, for the log */
  readonly quotas: readonly string[];
  /** milliseconds of `performance.now()` */
  readonly until: number;
}

const REPEAT_MS = 1_000;
/** What waits was reserved while the store answered, so that there are mostly fewer. */
const MOST_WAITING = 10_000;

export class Settlements {
  readonly #store: Pick<CounterStore, 'settle'>;
  readonly #options: SettlementsOptions;
  readonly #first = new Set<Promise<void>>();
  /** oldest first */
  readonly #waiting: Waiting[] = [];
  #repeating: Promise<void> | null = null;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(store: Pick<CounterStore, 'settle'>, options: SettlementsOptions) {
    this.#store = store;
    this.#options = options;
  }

  /** @param reservedAt `performance.now()` before the reservation was made */
  add(settlement: Settlement, quotas: readonly string[], reservedAt: number): void {
    const waiting = { settlement, quotas, until: reservedAt + this.#options.expiry };
    const done = this.#store.settle(settlement, false).catch((err: unknown) => {
      if (this.#waiting.length === 0)
        this.#options.logger.warn({ err }, 'a disclosure could not be counted yet: it is tried again');
      if (this.#waiting.length >= MOST_WAITING) this.#lost(waiting);
      else this.#waiting.push(waiting);
      this.#schedule();
    });
    this.#first.add(done);
    void done.then(() => this.#first.delete(done));
  }

  #schedule(): void {
    if (this.#isClosed || this.#timer !== undefined || this.#repeating !== null || this.#waiting.length === 0)
      return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#repeating = this.#repeat().finally(() => {
        this.#repeating = null;
        this.#schedule();
      });
    }, REPEAT_MS);
    this.#timer.unref();
  }

  /** Until one fails. */
  async #repeat(): Promise<void> {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if (next.until <= performance.now()) this.#lost(next);
      else
        try {
          await this.#store.settle(next.settlement, true);
        } catch {
          return;
        }
      this.#waiting.shift();
    }
  }

  #lost({ settlement: { granted, records, dataSubjects }, quotas }: Waiting): void {
    // Nothing was disclosed: the reservation has expired, and nothing is missing.
    if (granted === null || (records === 0 && dataSubjects.size === 0)) return;
    this.#options.onLost();
    this.#options.logger.warn(
      { quotas, records, data_subjects: dataSubjects.size },
      'a disclosure could not be counted: its quotas stay lower than they should be',
    );
  }

  /** Waits for what is under way, and tries what is left once more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all(this.#first);
    clearTimeout(this.#timer);
    await this.#repeating;
    await this.#repeat();
    for (const left of this.#waiting.splice(0)) this.#lost(left);
  }
}
