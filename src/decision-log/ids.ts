import { randomUUID } from 'node:crypto';

let last = 0;
let count = 0;

/**
 * The id of a decision is a UUIDv7 (RFC 9562 §5.7): ids sort by time, and within a millisecond in the order of the calls.
 * It has 48 bits of milliseconds, a counter with a random start (§6.2, method 1), and random bits from `randomUUID`, which
 * caches random data.
 */
export function newDecisionId(): string {
  const random = randomUUID();
  const now = Date.now();
  if (now > last) {
    last = now;
    count = Number.parseInt(random.slice(15, 18), 16) >> 1;
  } else {
    count += 1;
    if (count > 0xfff) {
      last += 1;
      count = 0;
    }
  }
  const time = last.toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7${count.toString(16).padStart(3, '0')}-${random.slice(19)}`;
}
