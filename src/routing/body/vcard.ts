/** One vCard as `{ TEL: [{ value, TYPE }] }`, the same structure as in responses (RFC 6350, RFC 2426). */
import {
  cardFault,
  dataParameters,
  isMark,
  lineEnd,
  type Property,
  propertyOf,
  textOf,
  valueSpans,
} from '../../model/vcard.ts';
import { unreadable } from './text.ts';

/** If one of these is repeated, upstreams take the first or the last. */
const ONCE = ['UID', 'N', 'BDAY', 'ANNIVERSARY', 'GENDER', 'REV', 'PRODID', 'KIND'];

/** @throws SluiceError `body_unreadable` */
export function parseVcard(given: Uint8Array): unknown {
  const bytes = Buffer.from(given.buffer, given.byteOffset, given.length);
  const properties: Property[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = lineEnd(bytes, at, true);
    const property = propertyOf(bytes, at, end);
    if (typeof property === 'string') throw unreadable(`as a vCard ${property}`);
    properties.push(property);
    at = end;
  }
  const [begin, ...rest] = properties;
  const end = rest.pop();
  if (begin === undefined || end === undefined || !isMark(begin, 'BEGIN') || !isMark(end, 'END'))
    throw unreadable('is not one vCard');
  const ends = rest.findIndex(({ name }) => name === 'END');
  if (ends >= 0 && rest[ends + 1]?.name === 'BEGIN')
    throw unreadable('has several vCards, and one is written by one request');
  const fault = ends >= 0 ? 'has an END within the card' : cardFault(rest);
  if (fault !== null) throw unreadable(`as a vCard ${fault}`);
  const card: Record<string, unknown[]> = Object.create(null) as Record<string, unknown[]>;
  for (const property of rest) {
    const { name } = property;
    if (name === 'VERSION') continue;
    if (card[name] !== undefined && ONCE.includes(name))
      throw unreadable('is a vCard that repeats a property that may occur once');
    card[name] = [...(card[name] ?? []), entryOf(property)];
  }
  return card;
}

function entryOf(property: Property): unknown {
  const out: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  if (property.group !== null) out['group'] = property.group.name;
  for (const { name, text } of dataParameters(property)) out[name] = text;
  for (const { name, start, end } of valueSpans(property)) {
    const text = textOf(property.line.subarray(start, end));
    if (text === null) throw unreadable('is not UTF-8');
    out[name] = text;
  }
  return out;
}
