/** `generalize`: a coarser value, by exactly one of the rules `date, age, round, ranges, prefix, address` (`generalize/rules.ts`). */
import type { TreatmentChoice } from '../../model/answers.ts';
import type { FieldEntry } from '../../model/catalog.ts';
import { type Clock, systemClock } from '../../observability/clock.ts';
import { RULE_NAMES, RULES, type Rule } from './generalize/rules.ts';
import { plainly } from './masks/returned.ts';
import { fault } from './parameters.ts';
import { asString, merged, orDrop, orRefuse } from './prepared.ts';
import type { Treatment } from './treatment.ts';

export function ruleFor(entry: FieldEntry, choice: TreatmentChoice, clock: Clock): Rule {
  const parameters = merged(entry.generalize, choice, RULE_NAMES);
  const named = RULE_NAMES.filter((name) => Object.hasOwn(parameters, name));
  if (named.length !== 1) throw fault(`exactly one of ${RULE_NAMES.join(', ')} is wanted`);
  return RULES[named[0]!]!(parameters, clock);
}

export const generalize: Treatment = {
  name: 'generalize',
  prepare: (entry, choice, context) =>
    orDrop(() => {
      const rule = ruleFor(entry, choice, context.clock ?? systemClock);
      return (value) => {
        if (value.kind === 'null') return { kind: 'null' };
        if (value.kind === 'container' || value.kind === 'boolean') return 'drop';
        if (value.text === '') return { kind: 'string', text: '' };
        const coarse = rule.apply(value.text);
        return rule.numeric && value.kind === 'number' && coarse !== null
          ? { kind: 'number', text: coarse }
          : asString(coarse);
      };
    }),
  recognise: (entry, choice) =>
    orRefuse(() => {
      const rule = ruleFor(entry, choice, systemClock);
      return (value) =>
        (value.kind === 'string' || value.kind === 'number') && rule.recognises(plainly(value.text));
    }),
};
