import { randomUUID } from 'node:crypto';

/**
 * A decision's id: UUIDv7 (RFC 9562 §5.7), so that ids sort by time: 48 bits of milliseconds, the version, and the random
 * bits of a UUIDv4, of which Node has many at hand.
 */
export function newDecisionId(): string {
  const time = Date.now().toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7${randomUUID().slice(15)}`;
}
