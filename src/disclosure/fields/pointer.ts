/** Pointers of catalogs as steps (`model/pointer.ts`), or an error. */
import { SluiceError } from '../../errors.ts';
import { type Step, stepsOf } from '../../model/pointer.ts';

export {
  escapeToken,
  KEY,
  KEY_POINTER,
  type Step,
  spellWants,
  type Want,
} from '../../model/pointer.ts';

/** @throws SluiceError `catalog_invalid` for what is neither empty nor begins with a slash */
export function parsePointer(pointer: string): readonly Step[] {
  const steps = stepsOf(pointer);
  if (steps !== null) return steps;
  throw new SluiceError('catalog_invalid', {
    message: `the path ${JSON.stringify(pointer)} must be empty or begin with "/"`,
    paths: [pointer],
  });
}
