/**
 * What of a request does not go into the log as it came. Ids of data subjects become the same HMACs that stand in
 * `disclosure.data_subjects`, personal members of the subject become `[masked]`: that something was hidden is recorded
 * in its place. Pointers are relative to the record, may end anywhere in it, and `*` stands for any key or index.
 * The justification stays as the subject gave it: it is the reason an auditor asks for, and it says so in the guide.
 */
import { SluiceError } from '../errors.ts';
import { tokensOf } from '../model/pointer.ts';
import type { DecisionRecordDraft } from '../model/record.ts';
import type { DataSubjectHasher } from './data-subject.ts';
import { isConstant } from './journal/spelling.ts';

export interface MaskRules {
  readonly pseudonymize: readonly string[];
  readonly mask: readonly string[];
  /** exceptions; they win */
  readonly keep: readonly string[];
}

/** OIDC Core §5.1 claims that tell who a person is beyond the subject's id, and what callers may put beside a resource. */
const PERSONAL = [
  'name',
  'given_name',
  'family_name',
  'email',
  'phone_number',
  'address',
  'birthdate',
  'picture',
];

export const DEFAULT_MASK: MaskRules = {
  pseudonymize: ['/resource/id', '/input/resource/id', '/input/context/grants/*/data_subject'],
  mask: [
    ...PERSONAL.flatMap((claim) => [`/subject/properties/${claim}`, `/input/subject/properties/${claim}`]),
    '/resource/properties/*',
    '/input/resource/properties/*',
  ],
  keep: ['/resource/properties/source', '/input/resource/properties/source'],
};

export const MASKED = '[masked]';

type Rule = 'pseudonymize' | 'mask' | 'keep';
/** of several rules for one place the first counts */
const PRECEDENCE: readonly Rule[] = ['keep', 'pseudonymize', 'mask'];

interface Node {
  rule: Rule | null;
  readonly children: Map<string, Node>;
}

/** What is done below one place: several nodes in one, since a key can be meant by its name and by `*`. */
interface Step {
  readonly rule: Rule | null;
  readonly named: ReadonlyMap<string, Step>;
  readonly any: Step | null;
  /** objects that cannot change and of which nothing changes: the subject of a caller, mostly */
  readonly untouched: WeakSet<object>;
}

export type Masker = (draft: DecisionRecordDraft) => DecisionRecordDraft;

/** The chain needs these as they are; masking them would make a record nobody can find or place. */
const FIXED = new Set(['decision_id', 'timestamp', 'kind', 'outcome', 'part', 'disclosure', '']);

/** @throws SluiceError `config_invalid` for a pointer that is none, or that would hide what a record is found by */
export function compileMask(rules: MaskRules, hasher: DataSubjectHasher): Masker {
  const root: Node = { rule: null, children: new Map() };
  for (const rule of ['mask', 'pseudonymize', 'keep'] as const) {
    for (const pointer of rules[rule]) {
      const steps = parsePointer(pointer, `decision_log.mask.${rule}`);
      let node = root;
      for (const step of steps) {
        let child = node.children.get(step);
        if (!child) {
          child = { rule: null, children: new Map() };
          node.children.set(step, child);
        }
        node = child;
      }
      node.rule = rule;
    }
  }
  if (root.children.size === 0) return (draft) => draft;
  const step = compiled([root]);
  return (draft) => applied(draft, step, hasher) as DecisionRecordDraft;
}

function parsePointer(pointer: string, where: string): string[] {
  const steps = tokensOf(pointer);
  if (!pointer.startsWith('/') || FIXED.has(steps[0] ?? '') || steps[0] === '*')
    throw new SluiceError(
      'config_invalid',
      `${where}: ${JSON.stringify(pointer)} is no JSON Pointer into a decision record, or points at what every record needs (decision_id, timestamp, kind, outcome, part, disclosure).`,
    );
  return steps;
}

function compiled(nodes: readonly Node[]): Step {
  const anys = nodes.flatMap((n) => n.children.get('*') ?? []);
  const names = new Set(nodes.flatMap((n) => [...n.children.keys()]).filter((name) => name !== '*'));
  return {
    rule: PRECEDENCE.find((rule) => nodes.some((n) => n.rule === rule)) ?? null,
    named: new Map(
      [...names].map((name) => [
        name,
        compiled([...nodes.flatMap((n) => n.children.get(name) ?? []), ...anys]),
      ]),
    ),
    any: anys.length === 0 ? null : compiled(anys),
    untouched: new WeakSet(),
  };
}

/** Copies only what changes. */
function applied(value: unknown, step: Step, hasher: DataSubjectHasher): unknown {
  if (step.rule === 'keep') return value;
  if (step.rule === 'pseudonymize') return pseudonymized(value, hasher);
  if (step.rule === 'mask') return value === null || value === undefined ? value : MASKED;
  if (typeof value !== 'object' || value === null) return value;
  const constant = Object.isFrozen(value);
  if (constant && step.untouched.has(value)) return value;
  const object = value as { readonly [key: string]: unknown };
  let copy: { [key: string]: unknown } | unknown[] | null = null;
  const { named, any } = step;
  for (const key of any === null ? named.keys() : Object.keys(object)) {
    if (!Object.hasOwn(object, key)) continue;
    const before = object[key];
    const after = applied(before, named.get(key) ?? (any as Step), hasher);
    if (after === before) continue;
    copy ??= Array.isArray(value) ? [...value] : { ...object };
    (copy as { [key: string]: unknown })[key] = after;
  }
  if (constant && copy === null && isConstant(value)) step.untouched.add(value);
  return copy ?? value;
}

/** Strings are hashed, numbers too (an id may be one); anything else that stands where an id belongs is masked. */
function pseudonymized(value: unknown, hasher: DataSubjectHasher): unknown {
  if (value === null || value === undefined) return value;
  if (typeof value === 'string') return hasher(value);
  if (typeof value === 'number') return hasher(String(value));
  if (Array.isArray(value)) return value.map((item) => pseudonymized(item, hasher));
  return MASKED;
}
