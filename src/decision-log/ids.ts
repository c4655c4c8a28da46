import { randomUUID } from 'node:crypto';

let last = 0;
let count = 0;

/**
 * A decision's id: UUIDv7 (RFC 9562 §5.7), so that ids sort by time, and within a millisecond by the order of the calls: 48
 * bits of milliseconds, a counter that starts at random (§6.2, method 1), and the random bits of a UUIDv4, of which Node
 * has many at hand.
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
