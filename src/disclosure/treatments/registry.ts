/** Every treatment, one line each. A value whose treatment is not in this list is dropped. */
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
