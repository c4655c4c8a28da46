/** Describes faults in the syntax of a pointer. */

/** Checks any pointer (`pointer.ts`); null: no fault. */
export const syntaxFault = (pointer: string): string | null =>
  pointer.startsWith('/') ? firstOf(pointer, stepFault) : 'a path starts with "/"';

/** Checks a pointer of a catalog, in which an empty step and a column without a number are faults. */
export const catalogFault = (pointer: string): string | null =>
  syntaxFault(pointer) ?? firstOf(pointer, catalogStepFault);

/** Checks a pointer outside the records: it is resolved before its sibling members have arrived. */
export const pickFault = (pointer: string): string | null =>
  pointer.includes('/[')
    ? 'around the records nothing is picked by what stands beside it: say a name, a number or *'
    : null;

function firstOf(pointer: string, faultOf: (step: string) => string | null): string | null {
  for (const step of pointer.slice(1).split('/')) {
    const fault = faultOf(step);
    if (fault !== null) return fault;
  }
  return null;
}

const stepFault = (step: string): string | null => {
  if (step.startsWith('[')) return selectorFault(step);
  return /~(?![01])/.test(step.replace(/^~2/, '')) ? '"~" is written "~0" (RFC 6901)' : null;
};

const catalogStepFault = (step: string): string | null => {
  if (step === '') return 'a path has no empty step';
  if (/^#0\d*$/.test(step)) return 'a column is written "#1", "#2", …';
  return step === '@' ? 'an attribute is written "@name"; the name "@" is written "~2@"' : null;
};

/** as many keys as the specificity of a path distinguishes (`disclosure/fields/trie.ts`) */
const MOST_KEYS = 7;

/** `[key=value]`, or `[key=value,key=value]` if several must match. */
const selectorFault = (step: string): string | null => {
  if (/~(?![013-6])/.test(step)) return 'in a selector "~" is written "~0"';
  if (!/^\[[^[\]]*\]$/.test(step))
    return 'a selector is written "[key=value]"; brackets in a value are written "~4" and "~5", and a name that begins with "[" is written "~2[…"';
  const parts = step.slice(1, -1).split(',');
  if (parts.some((part) => !/^[^=]+=/.test(part)))
    return 'a selector is written "[key=value]" or "[key=value,key=value]"; a comma in a value is written "~3"';
  const keys = parts.map((part) => part.slice(0, part.indexOf('=')));
  if (new Set(keys).size < keys.length) return 'a selector names each key once';
  return parts.length > MOST_KEYS ? `a selector has at most ${MOST_KEYS} keys` : null;
};
