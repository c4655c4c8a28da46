/** What a write would erase without anybody having written it: what the upstream stores as it is sent, and the caller was not shown. */
import { SluiceError } from '../errors.ts';
import type { DisclosureAnswer } from '../model/answers.ts';
import type { Catalog } from '../model/catalog.ts';
import { parsePointer } from './pointer.ts';
import { canonicalPointer, choiceAt } from './program.ts';
import type { WrittenBody, WrittenRecord } from './written.ts';

/**
 * What the caller is not shown as it is stored, and did not send anew, is erased: of the record, or within the members that are sent. Of lists
 * nobody knows which elements there are.
 * @param shown what the policy says that the caller is shown
 * @throws SluiceError `write_erases`
 */
export function refuseErasing(
  catalog: Catalog,
  { leaves, place }: WrittenRecord,
  shown: readonly DisclosureAnswer[],
  erases: NonNullable<WrittenBody['erases']>,
): void {
  const sent = new Set(leaves.filter(({ listed }) => !listed).map(({ pointer }) => pointer));
  const members = new Set(leaves.map((leaf) => String(leaf.place[place.length])));
  const isStoredAsSent = (pointer: string): boolean => {
    if (erases === 'record') return true;
    const [first, ...within] = parsePointer(pointer);
    return within.length > 0 && (first?.kind !== 'name' || members.has(first.name));
  };
  const hidden = Object.entries(catalog.fields).flatMap(([name, entry]) => {
    const pointer = canonicalPointer(name);
    const isShown =
      'category' in entry &&
      shown.every((answer) => choiceAt(answer, { pointer, base: pointer, entry }).do === 'disclose');
    return isShown ? [] : [pointer];
  });
  // an answer may name a part of what a line covers
  const named = shown.flatMap(({ fields }) =>
    Object.entries(fields).flatMap(([name, choice]) =>
      choice.do === 'disclose' ? [] : [canonicalPointer(name)],
    ),
  );
  const erased = [...new Set([...hidden, ...named])].filter(
    (pointer) => !sent.has(pointer) && isStoredAsSent(pointer),
  );
  if (erased.length === 0) return;
  throw new SluiceError('write_erases', {
    message: `The upstream stores ${
      erases === 'record' ? 'the record' : 'lists and objects'
    } as sent, and what this caller is not shown would be erased: ${erased.join(', ')}. Let the route keep it (request.keep_masked), or say that the upstream does (request.replaces: false).`,
    paths: erased,
  });
}
