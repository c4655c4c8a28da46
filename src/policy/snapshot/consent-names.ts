/**
 * Checks that the policy's data define the names that a data subject's consents and flags use. A misspelled flag or purpose would have
 * no effect, so that a refusal of consent would be ignored. Therefore the records of such a data subject are withheld. If the data
 * have no list of a kind (`flags`, `purposes`, `categories`, `partners`), names of that kind are not checked.
 */
import { type DisclosureAnswer, WITHHOLD_ALL } from '../../model/answers.ts';
import type { DataSubjectState } from '../../model/consent.ts';
import type { KnownNames, NameKind } from '../../model/policy.ts';
import { holdsUnseen } from '../../model/spelling.ts';
import { isObject } from '../../documents/yaml.ts';

export const NAME_UNKNOWN: DisclosureAnswer = Object.freeze(
  WITHHOLD_ALL(
    'consent_name_unknown',
    'The consents or flags of the data subject use a name that the policy does not know. See sluice check --config.',
  ),
);

export interface ConsentNames extends KnownNames {
  /** whether all names of a state are known; remembered for frozen states */
  knowsAll(state: DataSubjectState): boolean;
}

const STATUSES: ReadonlySet<string> = new Set(['given', 'withdrawn', 'expired', 'pending']);
const OPT_OUT = 'opt_out:';
const HELD = 'held:';

export function createConsentNames(data: { readonly [name: string]: unknown }): ConsentNames {
  const sets: Readonly<Record<NameKind, ReadonlySet<string> | null>> = {
    flag: namesOf(data['flags']),
    purpose: namesOf(data['purposes'], '*'),
    category: namesOf(data['categories'], '*'),
    recipient: namesOf(data['partners'], '*', 'internal'),
    status: STATUSES,
  };
  const judged = new WeakMap<DataSubjectState, boolean>();
  const knows = (kind: NameKind, name: string): boolean => {
    const set = sets[kind];
    // A name with blanks or invisible characters matches no rule, even if there is no list.
    if (holdsUnseen(name)) return false;
    if (set === null || set.has(name)) return true;
    if (kind !== 'flag') return false;
    // an objection to one purpose; a category that must be kept
    if (name.startsWith(OPT_OUT)) return knows('purpose', name.slice(OPT_OUT.length));
    return name.startsWith(HELD) && knows('category', name.slice(HELD.length));
  };
  const judge = ({ consents, flags }: DataSubjectState): boolean =>
    flags.every((flag) => knows('flag', flag)) &&
    consents.every(
      ({ purpose, recipient, categories, status }) =>
        knows('purpose', purpose) &&
        knows('recipient', recipient) &&
        knows('status', status) &&
        categories.every((category) => knows('category', category)),
    );
  return {
    knows,
    known: (kind) => [...(sets[kind] ?? [])],
    knowsAll(state) {
      // A malformed state is refused by the policy.
      if (!Array.isArray(state?.flags) || !Array.isArray(state.consents)) return true;
      if (!Object.isFrozen(state)) return judge(state);
      let known = judged.get(state);
      if (known === undefined) {
        known = judge(state);
        judged.set(state, known);
      }
      return known;
    },
  };
}

function namesOf(document: unknown, ...others: readonly string[]): ReadonlySet<string> | null {
  if (Array.isArray(document))
    return new Set([...document.filter((n): n is string => typeof n === 'string'), ...others]);
  return isObject(document) ? new Set([...Object.keys(document), ...others]) : null;
}
