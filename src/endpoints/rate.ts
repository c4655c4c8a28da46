/** How often somebody may do something in a time. Counts are this process's own; the number of them is bounded. */
import { isIPv6 } from 'node:net';

const MOST_KEYS = 50_000;

/** Who an address stands for: itself, or of IPv6 its /64, which one customer has and takes any address of. */
export function networkOf(address: string): string {
  if (!isIPv6(address)) return address;
  const [head = '', tail] = address.split('%', 1)[0]!.split('::');
  const groups = (part: string): string[] => (part === '' ? [] : part.split(':'));
  const [first, last] = [groups(head), groups(tail ?? '')];
  // An IPv4 address at the end stands for two groups.
  const count = first.length + last.length + Number(address.includes('.'));
  const all = [...first, ...new Array<string>(8 - count).fill('0'), ...last];
  return all
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':');
}

export class Rate {
  readonly #limit: number;
  readonly #window: number;
  readonly #now: () => number;
  #counts = new Map<string, number>();
  #began = 0;

  /** @param window milliseconds @param now milliseconds of a clock that nobody sets */
  constructor(limit: number, window: number, now: () => number) {
    this.#limit = limit;
    this.#window = window;
    this.#now = now;
  }

  /** Null: it may go on; otherwise after how many seconds. */
  take(key: string): number | null {
    const now = this.#now();
    if (now - this.#began >= this.#window) {
      this.#counts = new Map();
      this.#began = now;
    }
    const count = this.#counts.get(key) ?? 0;
    if (count >= this.#limit || (count === 0 && this.#counts.size >= MOST_KEYS))
      return Math.max(1, Math.ceil((this.#began + this.#window - now) / 1000));
    this.#counts.set(key, count + 1);
    return null;
  }
}
