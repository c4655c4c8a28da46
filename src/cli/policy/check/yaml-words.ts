/**
 * Words of a data file that OPA (YAML 1.1), whose values apply, reads differently from schemas, editors and people (YAML 1.2):
 * `no` is false, `0100` is 64. In quotes, or written differently, they are unambiguous.
 */
import type { YamlDocument } from '../../../documents/yaml.ts';
import type { Fault } from '../../../documents/faults.ts';
import { isNumber, numberText, readYamlWord } from '../../../rego/index.ts';

export const ambiguousWords = (document: YamlDocument): Fault[] =>
  document.words().flatMap(({ spelled, value, line, column }) => {
    const live = meaningOf(spelled);
    if (live === value || (typeof value === 'number' && Number(live) === value && typeof live !== 'string'))
      return [];
    const message = `OPA reads ${spelled} as ${JSON.stringify(live)}, and others as ${JSON.stringify(value)}: write ${typeof value === 'string' ? `"${spelled}"` : 'it so that both are the same'}`;
    return [{ file: document.file, line, column, message }];
  });

function meaningOf(spelled: string): unknown {
  try {
    const live = readYamlWord(spelled);
    return isNumber(live) ? Number(numberText(live)) : live;
  } catch {
    // `.inf`: OPA rejects the file with its own message.
    return spelled;
  }
}
