/**
 * Splits a record longer than `max_record` into pieces with the same decision id and part number. The lists of the
 * disclosure are distributed over the pieces. Counts are in the first piece only, so that pieces can be summed like parts.
 * A long member that is not a list, such as the policy's input, is replaced by its length and digest.
 */
import { hash } from 'node:crypto';
import { SluiceError } from '../../errors.ts';
import type { Subject } from '../../model/input.ts';
import type { DecisionRecordDraft, DisclosureSummary } from '../../model/record.ts';
import { normalize } from './canonical.ts';
import { SALT_BYTES, SEAL_BYTES } from './copy.ts';

const LISTS = ['released', 'withheld', 'data_subjects', 'consents', 'answers'] as const;
type ListName = (typeof LISTS)[number];

/** Members that may be long and that neither the index nor the chain needs. */
const OMITTABLE = [
  'input',
  'resource',
  'subject',
  'reasons',
  'labels',
  'timings_us',
  'justification',
] as const;

/** Bytes of `part` in a piece beyond those in the draft. */
const PART_BYTES = 64;

/** a text that is its own spelling, as that of a hashed id */
const PLAIN = /^[\w:.@-]*$/;

const size = (value: unknown): number =>
  typeof value === 'string' && PLAIN.test(value)
    ? value.length + 2
    : Buffer.byteLength(normalize(value).json);

/** @throws SluiceError `record_too_large` if the record does not fit even without lists and long members */
export function split(draft: DecisionRecordDraft, limit: number): readonly DecisionRecordDraft[] {
  const bare = { ...draft, disclosure: withoutLists(draft.disclosure) };
  const kept = shortened(bare, limit / 2);
  const d = draft.disclosure;
  const slices = d === null ? [] : dealt(d, limit - size(kept) - SEAL_BYTES - PART_BYTES);
  if (d === null) return [kept];
  const [only] = slices;
  if (slices.length === 1)
    return [{ ...kept, disclosure: { ...kept.disclosure, ...only } as DisclosureSummary }];
  return slices.map((lists, i) => ({
    ...kept,
    disclosure: (i === 0
      ? { ...kept.disclosure, ...lists }
      : { ...emptyLists(d), records: 0, records_withheld: 0, by_class: {}, ...lists }) as DisclosureSummary,
    part: {
      number: draft.part.number,
      last: draft.part.last && i === slices.length - 1,
      piece: i + 1,
      pieces: slices.length,
    },
  }));
}

const emptyLists = (d: DisclosureSummary) => ({
  released: [],
  withheld: [],
  data_subjects: [],
  ...(d.consents === undefined ? {} : { consents: [] }),
  ...(d.answers === undefined ? {} : { answers: [] }),
});

const withoutLists = (d: DisclosureSummary | null): DisclosureSummary | null =>
  d === null ? null : { ...d, ...emptyLists(d) };

function shortened(draft: DecisionRecordDraft, limit: number): DecisionRecordDraft {
  let short: { [member: string]: unknown } = { ...draft };
  for (const member of OMITTABLE) {
    const bytes = size(short);
    if (bytes <= limit) break;
    const value = short[member];
    const text = normalize(value).json;
    if (text.length > 256)
      short = {
        ...short,
        [member]: omitted(member, value, {
          bytes: Buffer.byteLength(text),
          sha256: hash('sha256', text, 'hex'),
        }),
      };
  }
  if (size(short) > limit)
    throw new SluiceError(
      'record_too_large',
      'A decision record is too long even without its lists and input; raise decision_log.journal.max_record.',
    );
  return short as unknown as DecisionRecordDraft;
}

/** The replacement has the member's type, so that the record still conforms to its schema. */
function omitted(
  member: (typeof OMITTABLE)[number],
  value: unknown,
  what: { bytes: number; sha256: string },
): unknown {
  const note = `[omitted: ${what.bytes} bytes, sha256 ${what.sha256}]`;
  switch (member) {
    case 'justification':
      return note;
    case 'reasons':
      return [{ code: 'omitted', message: note }];
    case 'labels':
      return { omitted: note };
    case 'timings_us':
      return {};
    case 'resource':
      return { type: note, properties: {} };
    case 'subject':
      return bareSubject(value as Subject, note, what);
    default:
      return { omitted: what };
  }
}

const bareSubject = (subject: Subject, note: string, what: object) => ({
  type: subject.type,
  id: subject.id.length > 1024 ? note : subject.id,
  properties: { omitted: what },
});

/** Distributes the lists, in order, into slices of at most `room` bytes. */
function dealt(d: DisclosureSummary, room: number): Array<Partial<Record<ListName, unknown[]>>> {
  const slices: Array<Partial<Record<ListName, unknown[]>>> = [];
  let slice: Partial<Record<ListName, unknown[]>> = {};
  let used = 0;
  for (const list of LISTS) {
    for (const item of d[list] ?? []) {
      const bytes = size(item) + 1 + (list === 'answers' ? SALT_BYTES : 0);
      if (bytes > room)
        throw new SluiceError(
          'record_too_large',
          `One item of disclosure.${list} has ${bytes} bytes; raise decision_log.journal.max_record.`,
        );
      if (used + bytes > room) {
        slices.push(slice);
        slice = {};
        used = 0;
      }
      const items = slice[list] ?? [];
      items.push(item);
      slice[list] = items;
      used += bytes;
    }
  }
  slices.push(slice);
  return slices;
}
