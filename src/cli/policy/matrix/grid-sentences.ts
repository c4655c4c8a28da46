/** Changes as sentences. Equal changes of several fields, callers and circumstances are combined, but a sentence never covers more than applies. */
import type { FieldOutcome } from '../../../disclosure/fields/outcomes.ts';
import {
  type Caller,
  type Change,
  type Compared,
  DIRECTIONS,
  type Direction,
  type Found,
  keyOf,
  type Limit,
  type Subject,
  type Verdict,
} from './changes.ts';
import { Circumstances, type Condition, consentWords, describe } from './conditions.ts';

export interface Sentence {
  readonly direction: Direction;
  readonly about: Subject;
  readonly resource: string;
  /** paths of fields, or names of limits */
  readonly fields: readonly string[];
  readonly before: string;
  readonly after: string;
  /** codes of the reasons */
  readonly because: { readonly before: readonly string[]; readonly after: readonly string[] };
  readonly roles: readonly string[];
  readonly purposes: readonly string[];
  readonly recipients: readonly string[];
  /** what is done in these combinations */
  readonly actions: readonly string[];
  /** any of these conditions; empty: always */
  readonly when: readonly Condition[];
  readonly combinations: number;
  readonly text: string;
}

const ABOUT: readonly Subject[] = ['request', 'field', 'write', 'delete', 'limit'];

export function sentencesOf({ found, asked }: Compared): Sentence[] {
  const groups = new Map<string, Group>();
  const circumstances = new Circumstances();
  /** caller, resource and tuples → conditions, since fields that change alike share circumstances */
  const described = new Map<string, readonly Condition[]>();
  for (const one of merged(found))
    for (const { caller, tuples, before } of one.callers.values()) {
      const { of, resource, direction } = one.change;
      const where = keyOf(caller, resource);
      const same = `${where} ${[...tuples].join()}`;
      const when = described.get(same) ?? describe(tuples, asked.get(where) ?? tuples, circumstances);
      described.set(same, when);
      const actions = [...new Set([...tuples].map((tuple) => circumstances.of(tuple).action))];
      const from = [...before].sort().join(' or ');
      const key = JSON.stringify([of, resource, direction, from, one.after, caller, actions, when]);
      const group = groups.get(key) ?? {
        one,
        before: from,
        caller,
        actions,
        when,
        fields: new Map(),
        combinations: 0,
      };
      groups.set(key, group);
      group.fields.set(one.change.path, one);
      group.combinations += tuples.size;
    }
  return together([...groups.values()]).sort(
    (a, b) =>
      DIRECTIONS.indexOf(a.direction) - DIRECTIONS.indexOf(b.direction) ||
      ABOUT.indexOf(a.about) - ABOUT.indexOf(b.about) ||
      rank(a) - rank(b) ||
      compareTexts(a.resource, b.resource) ||
      b.combinations - a.combinations ||
      compareTexts(a.text, b.text),
  );
}

/** fields shown in clear come first */
const rank = (s: Sentence): number => (s.after === WORDS.disclose ? 0 : 1);
const compareTexts = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

interface Merged {
  readonly change: Change;
  readonly after: string;
  readonly because: { readonly before: Set<string>; readonly after: Set<string> };
  readonly callers: Map<string, Affected>;
}

/** The callers, the circumstances, and the previous treatment. */
interface Affected {
  readonly caller: Caller;
  readonly tuples: Set<string>;
  readonly before: Set<string>;
}

/** Changes with the same treatments before and after, for any reason. */
function merged(found: readonly Found[]): Merged[] {
  const all = new Map<string, Merged>();
  for (const { change, callers } of found) {
    const [before, after] = [spellOutcome(change, change.before), spellOutcome(change, change.after)];
    const { of, resource, path, direction } = change;
    // If access is wider or narrower now, name the previous treatment.
    const from = direction === 'wider' || direction === 'narrower' ? null : before;
    const key = JSON.stringify([of, resource, path, direction, from, after]);
    const one: Merged = all.get(key) ?? {
      change,
      after,
      because: { before: new Set(), after: new Set() },
      callers: new Map(),
    };
    all.set(key, one);
    for (const code of reasonsOf(change.before)) one.because.before.add(code);
    for (const code of reasonsOf(change.after)) one.because.after.add(code);
    for (const [who, { caller, tuples }] of callers) {
      const at: Affected = one.callers.get(who) ?? { caller, tuples: new Set(), before: new Set() };
      one.callers.set(who, at);
      at.before.add(before);
      for (const tuple of tuples) at.tuples.add(tuple);
    }
  }
  return [...all.values()];
}

const isFieldOutcome = (outcome: Change['before']): outcome is FieldOutcome => 'do' in outcome;
const isLimit = (outcome: Change['before']): outcome is Limit => 'limit' in outcome;

function reasonsOf(outcome: Change['before']): readonly string[] {
  if (isFieldOutcome(outcome)) return outcome.because.split(', ');
  return isLimit(outcome) ? [] : outcome.reasons;
}

/** the treatment of a field for a caller */
export const WORDS: { readonly [treatment in FieldOutcome['do']]: string } = {
  disclose: 'in clear',
  encrypt: 'encrypted',
  scrub: 'scrubbed',
  generalize: 'generalized',
  mask: 'masked',
  tokenize: 'as a token',
  pseudonymize: 'as a pseudonym',
  nullify: 'as null',
  drop: 'withheld',
  withheld: 'withheld',
};

function spellOutcome({ of, direction }: Change, outcome: Change['before']): string {
  if (isLimit(outcome)) return outcome.limit === null ? 'none' : JSON.stringify(outcome.limit);
  if (!isFieldOutcome(outcome)) {
    const verdict = (outcome as Verdict).allow ? 'allowed' : 'refused';
    return direction === 'reason' ? `${verdict} (${(outcome as Verdict).reasons.join(', ')})` : verdict;
  }
  if (of === 'write') {
    const may = outcome.do === 'disclose' ? 'may be written' : 'may not be written';
    return direction === 'reason' ? `${may} (${outcome.because})` : may;
  }
  if (direction === 'reason') return `${WORDS[outcome.do]} (${outcome.because})`;
  // The mask matters only if it has changed.
  if (direction === 'other' && outcome.with !== undefined)
    return `${WORDS[outcome.do]} ${parameters(outcome.with)}`;
  return WORDS[outcome.do];
}

function parameters({ kind, ...rest }: NonNullable<FieldOutcome['with']>): string {
  const others = Object.entries(rest).map(([name, value]) => `${name} ${JSON.stringify(value)}`);
  return [kind === undefined ? [] : [`as ${String(kind)}`], others].flat().join(', ');
}

interface Group {
  readonly one: Merged;
  readonly before: string;
  readonly caller: Caller;
  readonly actions: readonly string[];
  readonly when: readonly Condition[];
  readonly fields: Map<string, Merged>;
  combinations: number;
}

/** Callers for which the same fields change alike, under the same conditions. */
function together(groups: readonly Group[]): Sentence[] {
  const byFields = new Map<string, Group[]>();
  for (const group of groups) {
    const { change, after } = group.one;
    const key = JSON.stringify([
      change.of,
      change.resource,
      change.direction,
      group.before,
      after,
      [...group.fields.keys()],
      group.actions,
      group.when,
    ]);
    byFields.set(key, [...(byFields.get(key) ?? []), group]);
  }
  return [...byFields.values()].flatMap((alike) =>
    products(alike.map((g) => g.caller)).map(({ roles, purposes, recipients }) => {
      const members = alike.filter(
        ({ caller }) =>
          roles.includes(caller.role) &&
          purposes.includes(caller.purpose) &&
          recipients.includes(caller.recipient),
      );
      const [first] = members;
      const { one, before, actions, when, fields } = first!;
      const all = members.flatMap((m) => [...m.fields.values()]);
      const sentence = {
        direction: one.change.direction,
        about: one.change.of,
        resource: one.change.resource,
        fields: [...fields.keys()],
        before,
        after: one.after,
        because: {
          before: [...new Set(all.flatMap((m) => [...m.because.before]))].sort(),
          after: [...new Set(all.flatMap((m) => [...m.because.after]))].sort(),
        },
        roles,
        purposes,
        recipients,
        actions,
        when,
        combinations: members.reduce((n, m) => n + m.combinations, 0),
      };
      return { ...sentence, text: textOf(sentence) };
    }),
  );
}

/** Groups callers as roles × purposes × recipients, so that a sentence never covers more than applies. */
function products(
  callers: readonly Caller[],
): { readonly roles: string[]; readonly purposes: string[]; readonly recipients: string[] }[] {
  const byRole = new Map<string, Map<string, string[]>>();
  for (const { role, purpose, recipient } of callers) {
    const of = byRole.get(role) ?? new Map<string, string[]>();
    byRole.set(role, of);
    of.set(recipient, [...(of.get(recipient) ?? []), purpose]);
  }
  const found = new Map<string, { roles: string[]; purposes: string[]; recipients: string[] }>();
  for (const [role, of] of byRole) {
    const byPurposes = new Map<string, string[]>();
    for (const [recipient, purposes] of of) {
      const key = JSON.stringify([...purposes].sort());
      byPurposes.set(key, [...(byPurposes.get(key) ?? []), recipient]);
    }
    for (const [purposes, recipients] of byPurposes) {
      const key = JSON.stringify([purposes, [...recipients].sort()]);
      const product = found.get(key) ?? { roles: [], purposes: JSON.parse(purposes) as string[], recipients };
      product.roles.push(role);
      found.set(key, product);
    }
  }
  return [...found.values()];
}

type Spoken = Omit<Sentence, 'text'>;

const list = (words: readonly string[]): string =>
  words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;

function textOf(s: Spoken): string {
  const who = list(s.roles);
  const [sees, does] = s.roles.length === 1 ? ['sees', 'gets'] : ['see', 'get'];
  const recipients = s.recipients.filter((r) => r !== 'internal');
  const whom = recipients.length === 0 ? '' : `, to ${list(s.recipients)}`;
  const forWhat = `for ${list(s.purposes)}${whom}${consentWords(s.when)}`;
  const fields = `${list(s.fields)} of ${s.resource}`;
  if (s.direction === 'reason')
    return `${who}: ${s.about === 'request' ? s.resource : fields} ${forWhat}: ${s.before} → ${s.after}`;
  if (s.about === 'request' || s.about === 'delete') {
    const may = s.direction === 'wider' ? 'may now' : 'may no longer';
    const codes = s.direction === 'wider' ? s.because.before : s.because.after;
    return `${who} ${may} ${list(s.actions)} ${s.resource} ${forWhat} (${s.direction === 'wider' ? 'before: ' : ''}${codes.join(', ')})`;
  }
  if (s.about === 'limit') {
    const [name] = s.fields;
    if (name === 'max_records')
      return `${who} now ${does} ${s.after === 'none' ? 'any number of records' : `at most ${s.after} records`} of ${s.resource} ${forWhat} (before: ${s.before === 'none' ? 'any number' : s.before})`;
    return `${who}: ${list(s.fields)} of ${s.resource} ${forWhat} is now ${s.after} (before: ${s.before})`;
  }
  if (s.about === 'write')
    return `${who} ${s.direction === 'wider' ? 'may now' : 'may no longer'} write ${fields} ${forWhat}`;
  if (s.after === WORDS.drop) return `${who} no longer ${sees} ${fields} ${forWhat} (before: ${s.before})`;
  const only = s.direction === 'narrower' ? 'only ' : '';
  return `${who} now ${sees} ${fields} ${only}${s.after} ${forWhat} (before: ${s.before})`;
}
