/** How a catalog spells its paths: what is wrong with one, in words. */

/**
 * What is wrong with a pointer's spelling, or null. Design §5.4: RFC 6901 with `*`, numbers, `[key=value]`, `@name`, `#3`; a step behind `~2`
 * is a name whatever it looks like.
 */
export const pointerFault = (pointer: string): string | null => {
  if (!pointer.startsWith('/')) return 'a path starts with "/"';
  for (const segment of pointer.slice(1).split('/')) {
    if (segment === '') return 'a path has no empty step';
    if (segment.startsWith('[')) {
      const wrong = selectorFault(segment);
      if (wrong !== null) return wrong;
    } else if (/~(?![01])/.test(segment.replace(/^~2/, ''))) return '"~" is written "~0" (RFC 6901)';
    if (/^#0\d*$/.test(segment)) return 'a column is written "#1", "#2", …';
    if (segment === '@') return 'an attribute is written "@name"; the name "@" is written "~2@"';
  }
  return null;
};

/** as many ranks as a path's specificity tells apart (`disclosure/fields/trie.ts`) */
const MOST_KEYS = 7;

/** `[key=value]`, or `[key=value,key=value]` where several must agree. */
const selectorFault = (segment: string): string | null => {
  if (/~(?![013-6])/.test(segment)) return 'in a selector "~" is written "~0"';
  if (!/^\[[^[\]]*\]$/.test(segment))
    return 'a selector is written "[key=value]"; brackets in a value are written "~4" and "~5", and a name that begins with "[" is written "~2[…"';
  const parts = segment.slice(1, -1).split(',');
  if (parts.some((part) => !/^[^=]+=/.test(part)))
    return 'a selector is written "[key=value]" or "[key=value,key=value]"; a comma in a value is written "~3"';
  const keys = parts.map((part) => part.slice(0, part.indexOf('=')));
  if (new Set(keys).size < keys.length) return 'a selector names each key once';
  return parts.length > MOST_KEYS ? `a selector has at most ${MOST_KEYS} keys` : null;
};

/** Around the records places are known before what stands beside them has arrived. */
export const pickFault = (pointer: string): string | null =>
  pointer.includes('/[')
    ? 'around the records nothing is picked by what stands beside it: say a name, a number or *'
    : null;
