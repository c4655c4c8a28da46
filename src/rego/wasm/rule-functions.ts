/** The functions that OPA compiled from rules: what they answer is corrected, so none may be overlooked. */
import { Reader } from './format.ts';
import { OP, skipLocals, skipOperands } from './instructions.ts';

/** `g0.data.sluice.decision`: the generation of the rules, and their path */
const OF_RULE = /^g\d+\./;
/** OPA's own library. A rule calls it by these names alone. */
const OF_LIBRARY = /^(?:opa|builtin)_/;

/**
 * Follows the calls from `eval`, which asks an entrypoint: whatever it reaches is a rule's function or belongs to the library, by its name. So
 * a version of OPA that names the functions of rules in another way is noticed, however it names them. A module may have no such functions: a
 * policy of defaults is made of constants.
 * @param names of functions → indices; `bodies` begin with function `first`, before which are imports
 * @returns places in `bodies`; undefined: something is called that is neither
 */
export const ruleFunctions = (
  names: ReadonlyMap<string, number>,
  bodies: readonly Uint8Array[],
  first: number,
): readonly number[] | undefined => {
  const rules = new Set([...names].filter(([name]) => OF_RULE.test(name)).map(([, index]) => index));
  const library = new Set([...names].filter(([name]) => OF_LIBRARY.test(name)).map(([, index]) => index));
  const evaluation = names.get('eval');
  if (evaluation === undefined) return undefined;
  for (const index of [evaluation, ...rules]) {
    const body = bodies[index - first];
    if (body === undefined) return undefined;
    for (const called of callsIn(body)) if (!rules.has(called) && !library.has(called)) return undefined;
  }
  return [...rules].map((index) => index - first);
};

function* callsIn(body: Uint8Array): Generator<number> {
  const reader = new Reader(body);
  skipLocals(reader);
  while (reader.at < body.length) {
    const op = reader.byte();
    if (op === OP.call) yield reader.leb();
    else skipOperands(reader, op);
  }
}
