/** Shared by the `prepare` functions of treatments: merging parameters, and dropping values if parameters are invalid. */
import { isSluiceError } from '../../errors.ts';
import type { TreatmentChoice } from '../../model/answers.ts';
import { fault, type Parameters } from './parameters.ts';
import type { Recognise, Treat, Treated } from './treatment.ts';

export const DROP: Treat = () => 'drop';
const EVERYTHING: Recognise = () => true;

export const asString = (text: string | null): Treated => (text === null ? 'drop' : { kind: 'string', text });

/** The answer's parameters over the catalog's. If the answer has a member of `leading`, the catalog's are not used. */
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

/** With invalid parameters every value is dropped … */
export const orDrop = (make: () => Treat): Treat => orElse(make, DROP);
/** … and every write is refused. */
export const orRefuse = (make: () => Recognise): Recognise => orElse(make, EVERYTHING);
