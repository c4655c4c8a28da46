/**
 * The outcome of a policy for each field of a resource, without a body. It is derived from the same compiled catalogs and instructions that
 * disclose bodies, so that a command reports what the proxy does.
 */
import { isSluiceError } from '../../errors.ts';
import type { DisclosureAnswer, TreatmentChoice } from '../../model/answers.ts';
import type { Catalog, FieldEntry } from '../../model/catalog.ts';
import { withheldBy } from '../../model/verdict.ts';
import type { Automaton } from './automaton.ts';
import { CatalogCache } from './catalogs.ts';
import { KEY, parsePointer, type Step } from './pointer.ts';
import { instruct } from './program.ts';
import { DROP } from '../treatments/prepared.ts';
import { TREATMENT_FILES } from '../treatments/registry.ts';
import type { TreatmentContext } from '../treatments/treatment.ts';

/** What is done to a field. */
export interface FieldOutcome {
  readonly do: TreatmentChoice['do'] | 'withheld';
  readonly because: string;
  /** the parameters of the treatment, from the catalog and the answer; absent: it takes none */
  readonly with?: { readonly [parameter: string]: unknown };
}

/** One field, at its place from the record's root. */
export interface FieldAt {
  readonly path: string;
  /** of the catalog with the field's line */
  readonly resource: string;
  readonly pointer: string;
  /** null: the answer names the field, and the catalog has no line for it */
  readonly cls: string | null;
  readonly outcome: FieldOutcome;
}

export interface Fields {
  /** in the order of the catalog, with embedded resources in their places */
  readonly all: readonly FieldAt[];
  /** reason codes for which all records are withheld; null: they are not */
  readonly withheld: readonly string[] | null;
}

const TREATMENTS = new Map(TREATMENT_FILES.map((treatment) => [treatment.name as string, treatment]));
/** no treatment that needs a key is prepared here */
const CONTEXT = { recipient: '', purpose: '' } as TreatmentContext;
const cache = new CatalogCache();
/** limit of nested resources: a resource may embed itself */
const DEEPEST = 8;

/** @param ask the answer for records of a resource, the outer or an embedded one */
export function fieldsOf(
  catalogs: ReadonlyMap<string, Catalog>,
  catalog: Catalog,
  ask: (resource: string) => DisclosureAnswer,
): Fields {
  const compiled = cache.compile(catalog, catalogs);
  settled(compiled.base);
  const answers = new Map<string, DisclosureAnswer>();
  const answerOf = (resource: string): DisclosureAnswer => {
    const answer = answers.get(resource) ?? ask(resource);
    answers.set(resource, answer);
    return answer;
  };
  const extra = new Map<string, ReadonlySet<string>>();
  const resources = [...new Set(compiled.base.scopes.map((s) => s.catalog.resource))];
  const known = remembered(catalog, resources.map(answerOf));
  if (known.fields !== undefined) return known.fields;
  try {
    for (const resource of resources) {
      const own = catalogs.get(resource) ?? catalog;
      const pointers = compiled.extra(own, answerOf(resource));
      if (pointers.length > 0) extra.set(resource, new Set(pointers));
    }
  } catch (error) {
    if (!isSluiceError(error, 'policy_answer_malformed')) throw error;
    // the proxy refuses a request with such an answer
    return { all: within(compiled.base, () => null, error.code), withheld: [error.code] };
  }
  const automaton = settled(compiled.extended(extra));
  const all = within(automaton, answerOf, null);
  const withheld = catalog.variants === undefined ? withheldBy(answerOf(catalog.resource)) : null;
  known.fields = { all, withheld };
  return known.fields;
}

const SETTLED = new WeakSet<Automaton>();

/** The automaton with all its states created, those of embedded resources included. */
function settled(automaton: Automaton): Automaton {
  if (!SETTLED.has(automaton)) automaton.settle();
  SETTLED.add(automaton);
  return automaton;
}

interface Known {
  fields?: Fields;
  readonly next: WeakMap<DisclosureAnswer, Known>;
}
const KNOWN = new WeakMap<Catalog, Known>();

/** The cached fields for a catalog and a sequence of answers: a policy gives few distinct answers to many questions. */
function remembered(catalog: Catalog, answers: readonly DisclosureAnswer[]): Known {
  let known = KNOWN.get(catalog) ?? { next: new WeakMap() };
  KNOWN.set(catalog, known);
  for (const answer of answers) {
    const next: Known = known.next.get(answer) ?? { next: new WeakMap() };
    known.next.set(answer, next);
    known = next;
  }
  return known;
}

function within(
  automaton: Automaton,
  answerOf: (resource: string) => DisclosureAnswer | null,
  malformed: string | null,
): FieldAt[] {
  return automaton.scopes.flatMap((scope, n): FieldAt[] => {
    if (scope.prefix.split('/').length > DEEPEST * 4) return [];
    const { resource } = scope.catalog;
    const answer = answerOf(resource);
    const codes = answer === null ? [malformed!] : withheldBy(answer);
    const choices =
      codes === null
        ? instruct(automaton, n, [answer!], { byName: TREATMENTS, context: CONTEXT }).choices
        : null;
    return automaton.all
      .slice(scope.firstField, scope.firstField + scope.fieldCount)
      .flatMap((field, at): FieldAt[] => {
        // a field that an answer added within a line is listed once
        if (field.base >= 0) return [];
        const outcome: FieldOutcome =
          choices === null
            ? { do: 'withheld', because: [...codes!].sort().join(', ') }
            : outcomeOf(choices[at]!, field.entry);
        return [{ path: field.path, resource, pointer: field.pointer, cls: field.cls, outcome }];
      });
  });
}

const NO_LINE: FieldEntry = { category: 'unknown', grade: 5 };
/** treatments that need no key, so that they can be prepared here */
const UNKEYED: ReadonlySet<string> = new Set(['mask', 'generalize', 'scrub']);

const outcomeOf = (choice: TreatmentChoice, entry: FieldEntry | null): FieldOutcome => {
  const { do: name, because } = choice;
  // a treatment without usable parameters drops every value
  if (UNKEYED.has(name) && TREATMENTS.get(name)!.prepare(entry ?? NO_LINE, choice, CONTEXT) === DROP)
    return { do: 'drop', because: 'not_applicable' };
  const parameters = parametersOf(choice, entry);
  return parameters === null ? { do: name, because } : { do: name, because, with: parameters };
};

/** The parameters of the catalog's line, overridden by those of the answer. */
function parametersOf(
  { do: name, with: own = {} }: TreatmentChoice,
  entry: FieldEntry | null,
): NonNullable<FieldOutcome['with']> | null {
  if (name === 'disclose' || name === 'drop' || name === 'nullify') return null;
  const line = entry?.[name];
  const stated = typeof line === 'string' ? { kind: line } : line;
  return { ...(name === 'mask' ? { kind: 'generic' } : {}), ...stated, ...own };
}

/** A catalog line that covers a path. */
export interface Covering {
  readonly resource: string;
  /** of the line, from the record's root; null: no line covers the path */
  readonly path: string | null;
  /** of the line, within its resource */
  readonly pointer: string | null;
}

/** The lines that cover a path of a decision record. There are several if a step of the path is ambiguous. */
export function coveringOf(
  catalogs: ReadonlyMap<string, Catalog>,
  catalog: Catalog,
  path: string,
): readonly Covering[] {
  const automaton = cache.compile(catalog, catalogs).base;
  let steps: readonly Step[];
  try {
    steps = parsePointer(path);
  } catch {
    return [];
  }
  let states = new Set(typedStates(automaton, automaton.root));
  for (const step of steps) {
    const next = new Set<number>();
    for (const at of states)
      for (const to of stepsFrom(automaton, at, step))
        for (const s of typedStates(automaton, to)) next.add(s);
    states = next;
  }
  const found = new Map<string, Covering>();
  for (const id of states) {
    const { scope } = automaton.states[id]!;
    const field = automaton.field(id);
    const own = field >= 0 && (!automaton.through(id) || automaton.whole(id)) ? automaton.all[field]! : null;
    const { resource } = automaton.scopes[scope]!.catalog;
    found.set(`${resource} ${own?.path}`, {
      resource,
      path: own?.path ?? null,
      pointer: own?.pointer ?? null,
    });
  }
  const covered = [...found.values()].filter(({ path: own }) => own !== null);
  return covered.length > 0 ? covered : [...found.values()];
}

/** A state, and the states for each record type, each as the start of its embedded resource if it is one. */
function typedStates(automaton: Automaton, id: number): readonly number[] {
  const { conditions } = automaton.states[id]!;
  const typed = conditions.flatMap(({ wants, typed: by }) =>
    by === true ? [automaton.select(id, (key) => wants.find((w) => w.key === key)?.value)] : [],
  );
  return [id, ...typed].map((state) => {
    const embeds = automaton.scope(state);
    return embeds < 0 ? state : automaton.entry(embeds);
  });
}

function stepsFrom(automaton: Automaton, from: number, step: Step): readonly number[] {
  if (step.kind === 'name') {
    const position = /^(0|[1-9]\d*)$/.test(step.name) ? [automaton.item(from, Number(step.name))] : [];
    return [automaton.step(from, step.name), ...position];
  }
  if (step.kind === 'key') return [automaton.step(from, KEY)];
  if (step.kind === 'any') return [automaton.step(from, OTHER_NAME), automaton.item(from, OTHER_POSITION)];
  const want = new Map(step.wants.map(({ key, value }) => [key, value]));
  return [automaton.step(from, OTHER_NAME), automaton.item(from, OTHER_POSITION)].map((to) =>
    automaton.select(to, (key) => want.get(key)),
  );
}

/** a name and a position that no catalog has: they lead where `*` leads */
const OTHER_NAME = '\udffd';
const OTHER_POSITION = Number.MAX_SAFE_INTEGER;
