/** Every treatment, by name; a name that is not here drops. */
import type { TreatmentChoice } from '../../model/answers.ts';
import type { FieldEntry } from '../../model/catalog.ts';
import { disclose } from './disclose.ts';
import { drop } from './drop.ts';
import { encrypt } from './encrypt.ts';
import { generalize } from './generalize.ts';
import { mask } from './mask.ts';
import { nullify } from './nullify.ts';
import { pseudonymize } from './pseudonymize.ts';
import { scrub } from './scrub.ts';
import { tokenize } from './tokenize.ts';
import type { Treatment } from './treatment.ts';

export const TREATMENT_FILES: readonly Treatment[] = [
  disclose,
  mask,
  scrub,
  generalize,
  pseudonymize,
  tokenize,
  encrypt,
  nullify,
  drop,
];

const BY_NAME: ReadonlyMap<string, Treatment> = new Map(
  TREATMENT_FILES.map((treatment) => [treatment.name, treatment]),
);

/**
 * Whether a text of a write could be what this choice makes of such a field: it must not overwrite the real value. Of a
 * treatment that is not known, everything could be.
 */
export const isDisguised = (entry: FieldEntry, choice: TreatmentChoice, text: string): boolean =>
  BY_NAME.get(choice.do)?.recognise(entry, choice)({ kind: 'string', text }) ?? true;
