/**
 * What of a request does not go into the log as it came. Ids of data subjects become the same HMACs that stand in
 * `disclosure.data_subjects`, personal members of the subject become `[masked]`: that something was hidden is recorded
 * in its place. Pointers are relative to the record, may end anywhere in it, and `*` stands for any key or index.
 * The justification stays as the subject gave it: it is the reason an auditor asks for, and it says so in the guide.
 */
import { SluiceError } from '../errors.ts';
import type { DecisionRecordDraft } from '../model/record.ts';
import type { DataSubjectHasher } from './data-subject.ts';

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

interface Node {
  rule: Rule | null;
  readonly children: Map<string, Node>;
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
  return (draft) => applied(draft, [root], hasher) as DecisionRecordDraft;
}

function parsePointer(pointer: string, where: string): string[] {
  const steps = pointer.split('/').map((s) => s.replaceAll('~1', '/').replaceAll('~0', '~'));
  if (steps.shift() !== '' || FIXED.has(steps[0] ?? '') || steps[0] === '*')
    throw new SluiceError(
      'config_invalid',
      `${where}: ${JSON.stringify(pointer)} is no JSON Pointer into a decision record, or points at what every record needs (decision_id, timestamp, kind, outcome, part, disclosure).`,
    );
  return steps;
}

/** Several nodes at once: a key can be meant by its name and by `*`. Copies only what changes. */
function applied(value: unknown, nodes: readonly Node[], hasher: DataSubjectHasher): unknown {
  const rule = strongest(nodes);
  if (rule === 'keep') return value;
  if (rule === 'pseudonymize') return pseudonymized(value, hasher);
  if (rule === 'mask') return value === null || value === undefined ? value : MASKED;
  if (typeof value !== 'object' || value === null) return value;
  const object = value as { readonly [key: string]: unknown };
  let copy: { [key: string]: unknown } | unknown[] | null = null;
  for (const key of keysToVisit(object, nodes)) {
    if (!Object.hasOwn(object, key)) continue;
    const below: Node[] = [];
    for (const node of nodes) {
      const named = node.children.get(key);
      if (named) below.push(named);
      const any = node.children.get('*');
      if (any) below.push(any);
    }
    const before = object[key];
    const after = applied(before, below, hasher);
    if (after === before) continue;
    copy ??= Array.isArray(value) ? [...value] : { ...object };
    (copy as { [key: string]: unknown })[key] = after;
  }
  return copy ?? value;
}

function strongest(nodes: readonly Node[]): Rule | null {
  let rule: Rule | null = null;
  for (const node of nodes) {
    if (node.rule === 'keep') return 'keep';
    if (node.rule === 'pseudonymize' || rule === null) rule = node.rule;
  }
  return rule;
}

function keysToVisit(object: object, nodes: readonly Node[]): Iterable<string> {
  if (nodes.some((n) => n.children.has('*'))) return Object.keys(object);
  if (nodes.length === 1) return nodes[0]!.children.keys();
  return new Set(nodes.flatMap((n) => [...n.children.keys()]));
}

/** Strings are hashed, numbers too (an id may be one); anything else that stands where an id belongs is masked. */
function pseudonymized(value: unknown, hasher: DataSubjectHasher): unknown {
  if (value === null || value === undefined) return value;
  if (typeof value === 'string') return hasher(value);
  if (typeof value === 'number') return hasher(String(value));
  if (Array.isArray(value)) return value.map((item) => pseudonymized(item, hasher));
  return MASKED;
}
