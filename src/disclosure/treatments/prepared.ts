/** What the treatments' `prepare` have in common: parameters put together, and nonsense answered by dropping. */
import { isSluiceError } from '../../errors.ts';
import type { TreatmentChoice } from '../../model/answers.ts';
import { fault, type Parameters } from './parameters.ts';
import type { Recognise, Treat, Treated } from './treatment.ts';

export const DROP: Treat = () => 'drop';
const EVERYTHING: Recognise = () => true;

export const asString = (text: string | null): Treated => (text === null ? 'drop' : { kind: 'string', text });

/** The answer's `with` over the catalog's; an answer that brings a member of `leading` of its own replaces the catalog's whole. */
export function merged(
  catalog: unknown,
  choice: TreatmentChoice,
  leading: readonly string[] = [],
): { readonly [parameter: string]: unknown } {
  const own = choice.with ?? {};
  if (leading.some((name) => Object.hasOwn(own, name))) return own;
  if (catalog === undefined || catalog === null) return own;
  if (typeof catalog !== 'object' || Array.isArray(catalog)) throw fault('parameters are wanted as a map');
  return { ...(catalog as Parameters), ...own };
}

function orElse<T>(make: () => T, otherwise: T): T {
  try {
    return make();
  } catch (error) {
    if (isSluiceError(error, 'catalog_invalid')) return otherwise;
    throw error;
  }
}

/** Parameters that make no sense drop the value … */
export const orDrop = (make: () => Treat): Treat => orElse(make, DROP);
/** … and refuse the write. */
export const orRefuse = (make: () => Recognise): Recognise => orElse(make, EVERYTHING);
