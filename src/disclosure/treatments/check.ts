/** Checks the treatment parameters of a catalog field. At run time invalid parameters drop the field; `sluice check` reports them before. */
import { isSluiceError } from '../../errors.ts';
import type { TreatmentChoice, TreatmentName } from '../../model/answers.ts';
import type { FieldEntry } from '../../model/catalog.ts';
import { systemClock } from '../../observability/clock.ts';
import { ruleFor } from './generalize.ts';
import { maskFor } from './mask.ts';
import { onlyKnown, text } from './parameters.ts';
import { merged } from './prepared.ts';
import { entitiesFor } from './scrub.ts';
import { optionsFor } from './tokenize.ts';

const CHECKS: { readonly [name in TreatmentName]?: (entry: FieldEntry, choice: TreatmentChoice) => unknown } =
  {
    mask: maskFor,
    generalize: (entry, choice) => ruleFor(entry, choice, systemClock),
    scrub: entitiesFor,
    tokenize: optionsFor,
    pseudonymize(entry, choice) {
      const parameters = merged(entry.pseudonymize, choice);
      onlyKnown(parameters, ['scope']);
      text(parameters, 'scope');
    },
    encrypt(entry, choice) {
      const parameters = merged(entry.encrypt, choice);
      onlyKnown(parameters, ['key']);
      text(parameters, 'key');
    },
  };

/** One message for each treatment with invalid parameters, e.g. `mask: unknown kind of mask "phnoe"; known: …`. */
export function parameterFaults(entry: FieldEntry): readonly string[] {
  const faults: string[] = [];
  for (const [name, check] of Object.entries(CHECKS)) {
    if (entry[name as keyof FieldEntry] === undefined) continue;
    try {
      check(entry, { do: name as TreatmentName, because: 'check' });
    } catch (error) {
      if (!isSluiceError(error, 'catalog_invalid')) throw error;
      faults.push(`${name}: ${error.message}`);
    }
  }
  return faults;
}
