/** Refuses writes that would erase fields which the caller is not shown, because the upstream stores the body as it is sent. */
import { SluiceError } from '../../errors.ts';
import type { DisclosureAnswer } from '../../model/answers.ts';
import { hiddenByName } from '../../model/verdict.ts';
import type { Catalog } from '../../model/catalog.ts';
import { parsePointer } from '../fields/pointer.ts';
import { canonicalPointer, choiceAt } from '../fields/program.ts';
import type { WrittenBody, WrittenRecord } from './written.ts';

/** A record of a body, with the answers for reading it. */
export interface Seen extends Pick<WrittenRecord, 'leaves' | 'place'> {
  readonly shown: readonly DisclosureAnswer[];
}

/**
 * A field is erased if the caller is not shown it unchanged and does not send it: of the record, or within the members that are sent. Elements
 * of lists are unknown here, and fields without a catalog line are shown to nobody.
 * @throws SluiceError `write_erases`
 */
export function refuseErasing(
  catalog: Catalog,
  records: readonly Seen[],
  erases: NonNullable<WrittenBody['erases']>,
): void {
  const hidden = new Map<DisclosureAnswer, readonly string[]>();
  // by answer: a body may have thousands of records and few distinct answers
  const hiddenBy = (answer: DisclosureAnswer): readonly string[] => {
    const found = hidden.get(answer) ?? hiddenIn(catalog, answer);
    hidden.set(answer, found);
    return found;
  };
  const paths = [...new Set(records.flatMap((record) => erasedOf(record, erases === 'parts', hiddenBy)))];
  const erased = paths.length === 0 ? '' : `: ${paths.join(', ')}`;
  if (erases === 'unsaid')
    throw new SluiceError('write_erases', {
      message: `A PUT replaces the record (RFC 9110), so that what this caller is not shown would be erased${erased === '' ? ', be it only what no line of the catalog covers' : erased}. Let the route say what its upstream does: request.keep_masked, and Sluice keeps what is stored; request.replaces: false or parts, if the upstream does; true, if the catalog covers all that is stored.`,
      paths,
    });
  if (records.length === 0 && erases === 'record')
    throw new SluiceError(
      'write_erases',
      'The request sends a list without records, and the upstream stores what it is sent. Send the records.',
    );
  if (paths.length > 0)
    throw new SluiceError('write_erases', {
      message: `The upstream stores ${
        erases === 'record' ? 'the record' : 'lists and objects'
      } as sent, and what this caller is not shown would be erased${erased}. Let the route keep it (request.keep_masked), or say that the upstream does (request.replaces: false).`,
      paths,
    });
}

/** @param within only fields within the members that are sent */
function erasedOf(
  { leaves, place, shown }: Seen,
  within: boolean,
  hiddenBy: (answer: DisclosureAnswer) => readonly string[],
): readonly string[] {
  const sent = new Set(leaves.filter(({ listed }) => !listed).map(({ pointer }) => pointer));
  const members = new Set(leaves.map((leaf) => String(leaf.place[place.length])));
  const isStoredAsSent = (pointer: string): boolean => {
    if (!within) return true;
    const [first, ...rest] = parsePointer(pointer);
    return rest.length > 0 && (first?.kind !== 'name' || members.has(first.name));
  };
  return [...new Set(shown.flatMap(hiddenBy))].filter(
    (pointer) => !sent.has(pointer) && isStoredAsSent(pointer),
  );
}

/** Pointers that an answer does not disclose unchanged: catalog lines, and fields that the answer names. */
function hiddenIn(catalog: Catalog, answer: DisclosureAnswer): readonly string[] {
  const lines = Object.entries(catalog.fields).flatMap(([name, entry]) => {
    const pointer = canonicalPointer(name);
    const isShown =
      'category' in entry && choiceAt(answer, { pointer, base: pointer, entry }).do === 'disclose';
    return isShown ? [] : [pointer];
  });
  return [...lines, ...hiddenByName(answer).map(canonicalPointer)];
}
