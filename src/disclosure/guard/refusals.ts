/** The reasons why a value may not be written, and the errors for them. */
import { SluiceError } from '../../errors.ts';
import { writeModeOf } from '../../model/catalog.ts';
import type { PolicySnapshot } from '../../model/policy.ts';
import type { Judged } from './judged.ts';
import { isObject, type Leaf } from './leaf.ts';
import { choiceAt } from '../fields/program.ts';

/** A value that may not be written. */
export interface Refused extends Leaf {
  /** reason code */
  readonly because: string;
}

/** The reason code for which a value may not be written; null: it may be. */
export function whyNot(leaf: Leaf, answers: readonly Judged[], data: PolicySnapshot['data']): string | null {
  if (leaf.entry === null) return leaf.embedded ? 'embedded_resource' : 'uncatalogued';
  if (writeModeOf(leaf.entry, data) === 'never') return 'write_never';
  const choices = answers.map(({ writable }) => choiceAt(writable, leaf));
  return choices.find((choice) => choice.do !== 'disclose')?.because ?? null;
}

export const pointersOf = (leaves: readonly Leaf[]): readonly string[] => [
  ...new Set(leaves.map(({ pointer }) => pointer)),
];

const withReasons = (leaves: readonly Refused[]): string =>
  [...new Set(leaves.map(({ pointer, because }) => `${pointer} (${because})`))].join(', ');

export const notWritable = (leaves: readonly Refused[]): SluiceError =>
  new SluiceError('body_field_refused', {
    message: `The request writes a field that this caller may not write: ${withReasons(leaves)}.`,
    paths: pointersOf(leaves),
    because: leaves.map(({ because }) => because),
  });

export const notReal = (leaves: readonly Leaf[]): SluiceError =>
  new SluiceError('masked_value_refused', {
    message: `The request writes a value that is the result of a treatment of this field: ${pointersOf(leaves).join(', ')}. Omit the field to keep the stored value; a route with request.keep_masked keeps it automatically.`,
    paths: pointersOf(leaves),
  });

/** Refuses to strip values from lists: a list is stored as it is sent, so that elements would be lost. */
export function refuseInLists(refused: readonly Refused[], disguised: readonly Leaf[]): void {
  const listed = disguised.filter((leaf) => leaf.listed);
  if (listed.length > 0)
    throw new SluiceError('masked_value_refused', {
      message: `The request writes a list with values that are results of a treatment: ${pointersOf(listed).join(', ')}. Without them the stored list would become shorter. Omit the list to keep it, send it completely with real values, or set request.keep_masked on the route.`,
      paths: pointersOf(listed),
    });
  const within = refused.filter((leaf) => leaf.listed);
  if (within.length > 0)
    throw new SluiceError('body_field_refused', {
      message: `The request writes a field within a list that this caller may not write: ${withReasons(within)}. Elements are not removed from lists, since a list is stored as it is sent. Omit the list to keep it, or set request.keep_masked on the route.`,
      paths: pointersOf(within),
    });
}

/** Refuses a JSON Patch with an error of its own: it names fields in its values, which Sluice does not interpret. */
export function refusePatch(value: unknown, refused: readonly Leaf[]): void {
  if (!refused.some(({ entry }) => entry === null) || !isPatch(value)) return;
  throw new SluiceError('body_field_refused', {
    message: `The request's body is a JSON Patch (RFC 6902), a list of operations: it names fields in its values, which Sluice does not interpret (${pointersOf(refused).join(', ')} are in no catalog). Send the fields to be changed as an object, as in a JSON Merge Patch (RFC 7396).`,
    paths: pointersOf(refused),
  });
}

const OPERATIONS: readonly unknown[] = ['add', 'remove', 'replace', 'move', 'copy', 'test'];

const isPatch = (value: unknown): boolean =>
  Array.isArray(value) &&
  value.length > 0 &&
  value.every(
    (operation) =>
      isObject(operation) && OPERATIONS.includes(operation['op']) && typeof operation['path'] === 'string',
  );
