/**
 * Masks values of a request before they are logged. Ids of data subjects become the same HMACs as in
 * `disclosure.data_subjects`. Personal members of the subject become `[masked]`, so the record shows that a value was hidden.
 * Pointers are relative to the record and may point at any value in it; `*` matches any key or index.
 * The justification is not masked, because auditors need it; the guide says so.
 */
import { SluiceError } from '../errors.ts';
import { tokensOf } from '../model/pointer.ts';
import type { DecisionRecordDraft } from '../model/record.ts';
import type { DataSubjectHasher } from './data-subject.ts';
import { isConstant } from './journal/serialize.ts';

export interface MaskRules {
  readonly pseudonymize: readonly string[];
  readonly mask: readonly string[];
  /** exceptions; they take precedence */
  readonly keep: readonly string[];
}

/** OIDC Core §5.1 claims that identify a person, apart from the subject's id. */
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
  pseudonymize: [
    '/resource/id',
    '/input/resource/id',
    '/input/context/grants/*/data_subject',
    '/input/context/subject_verification/data_subject',
  ],
  mask: [
    ...PERSONAL.flatMap((claim) => [`/subject/properties/${claim}`, `/input/subject/properties/${claim}`]),
    '/resource/properties/*',
    '/input/resource/properties/*',
  ],
  keep: ['/resource/properties/source', '/input/resource/properties/source'],
};

export const MASKED = '[masked]';

type Rule = 'pseudonymize' | 'mask' | 'keep';
/** if several rules match a value, the first in this list applies */
const PRECEDENCE: readonly Rule[] = ['keep', 'pseudonymize', 'mask'];

interface Node {
  rule: Rule | null;
  readonly children: Map<string, Node>;
}

/** The rules below one value. It merges several nodes, because both a name and `*` can match a key. */
interface Step {
  readonly rule: Rule | null;
  readonly named: ReadonlyMap<string, Step>;
  readonly any: Step | null;
  /** frozen objects that this step leaves unchanged, mostly the subject of a caller */
  readonly untouched: WeakSet<object>;
}

export type Masker = (draft: DecisionRecordDraft) => DecisionRecordDraft;

/** The chain and the index need these members unmasked. */
const FIXED = new Set(['decision_id', 'timestamp', 'kind', 'outcome', 'part', 'disclosure', '']);

/** @throws SluiceError `config_invalid` for an invalid pointer, or for a pointer to a member of `FIXED` */
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
      `${where}: ${JSON.stringify(pointer)} is not a JSON Pointer into a decision record, or points at a member that every record needs (decision_id, timestamp, kind, outcome, part, disclosure).`,
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

/** Copies only the objects that change. */
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

/** Hashes strings and numbers, since an id may be a number. Masks any other value in the place of an id. */
function pseudonymized(value: unknown, hasher: DataSubjectHasher): unknown {
  if (value === null || value === undefined) return value;
  if (typeof value === 'string') return hasher(value);
  if (typeof value === 'number') return hasher(String(value));
  if (Array.isArray(value)) return value.map((item) => pseudonymized(item, hasher));
  return MASKED;
}
