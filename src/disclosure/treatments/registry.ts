/** Every treatment that has a file of its own; a name that is not here drops. */
import type { Treatment } from './treatment.ts';

export const TREATMENT_FILES: readonly Treatment[] = [];
