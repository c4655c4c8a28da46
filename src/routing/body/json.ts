/** JSON request bodies. Whatever another reader could read differently is rejected (RFC 8259 §4, RFC 8785 §3.1). */
import { ambiguityOf } from '../../model/json-text.ts';
import { refuseOverrideMembers } from '../query.ts';
import { unreadable } from './text.ts';

const NONE: ReadonlySet<string> = new Set();

/**
 * @param overrides members that may name a method, because the route has a condition on them
 * @throws SluiceError `body_unreadable` for anything but one JSON text without duplicate names; `method_override_refused`
 */
export function parseJson(text: string, depth: number, overrides: ReadonlySet<string> = NONE): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The engine's message would quote the body.
    throw unreadable('is not JSON');
  }
  const ambiguity = ambiguityOf(text, depth);
  if (ambiguity === 'depth') throw unreadable(`is nested more than ${depth} levels deep (limits.depth)`);
  if (ambiguity !== null) throw unreadable('has the same name twice in one object');
  refuseOverrideMembers(value, overrides);
  return value;
}

/**
 * One record a line. Empty lines are rejected, since readers disagree about them.
 * @throws SluiceError `body_unreadable`, `method_override_refused`
 */
export function parseNdjson(text: string, depth: number, overrides: ReadonlySet<string>): unknown {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines.map((line) => {
    // A carriage return is white space in JSON, but some readers treat it as the end of a line.
    if (/\r(?!$)/.test(line)) throw unreadable('has a line end within a line');
    return parseJson(line, depth, overrides);
  });
}
