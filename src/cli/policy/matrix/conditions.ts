/** Describes the circumstances in which a change applies by conditions: exactly, and with as few as possible. */
import { spellSpans, spansOf } from '../../text.ts';
import { type Circumstance, circumstanceOf, DIMENSIONS, type Dimension, type Subject } from './changes.ts';

/** Values by dimension; a dimension that is not named does not matter. */
export type Condition = { readonly [D in Dimension]?: readonly string[] };

/**
 * Conditions that hold for exactly the given circumstances, among those that were queried.
 * @param asked all circumstances in which the caller is allowed, before or after
 */
export function describe(
  tuples: ReadonlySet<string>,
  asked: ReadonlySet<string>,
  circumstances: Circumstances,
): Condition[] {
  const of = [...tuples].map((tuple) => circumstances.of(tuple));
  const universe = [...new Set([...asked, ...tuples])].map((tuple) => circumstances.of(tuple));
  return conditions(of, universe, DIMENSIONS);
}

/** Each text is parsed once, since many fields share them. */
export class Circumstances {
  readonly #known = new Map<string, Circumstance>();

  of(tuple: string): Circumstance {
    let known = this.#known.get(tuple);
    if (known === undefined) {
      known = circumstanceOf(tuple);
      this.#known.set(tuple, known);
    }
    return known;
  }
}

const valuesOf = (list: readonly Circumstance[], d: Dimension): string[] => [
  ...new Set(list.map((c) => c[d])),
];

function conditions(
  of: readonly Circumstance[],
  universe: readonly Circumstance[],
  dimensions: readonly Dimension[],
): Condition[] {
  const projections = DIMENSIONS.map((d) => [d, new Set(of.map((c) => c[d]))] as const);
  const inside = universe.filter((c) => projections.every(([d, values]) => values.has(c[d])));
  if (inside.length === of.length) {
    const named = needed(
      projections.filter(([d, values]) => values.size < valuesOf(universe, d).length),
      of.length,
      universe,
    );
    return named.length === 0
      ? []
      : [Object.fromEntries(named.map(([d, values]) => [d, [...values]])) as Condition];
  }
  const splitting = splittingOf(of, dimensions);
  const rest = dimensions.filter((d) => d !== splitting);
  const parts = new Map<string, { values: string[]; conditions: Condition[] }>();
  for (const value of valuesOf(of, splitting)) {
    const within = universe.filter((c) => c[splitting] === value);
    const own = of.filter((c) => c[splitting] === value);
    const below = conditions(own, within, rest);
    const key = JSON.stringify(below);
    const part = parts.get(key) ?? { values: [], conditions: below };
    part.values.push(value);
    parts.set(key, part);
  }
  const all = valuesOf(universe, splitting).length;
  return [...parts.values()].flatMap(({ values, conditions: below }) =>
    (below.length === 0 ? [{}] : below).map((condition) =>
      values.length === all ? condition : { [splitting]: values, ...condition },
    ),
  );
}

type Projection = readonly [Dimension, ReadonlySet<string>];

/** of whoever differs in one of these the others are as they are: no need to say so */
const ONE_AT_A_TIME: readonly Dimension[] = ['justification', 'department', 'organization', 'kind', 'factor'];

function needed(
  named: readonly Projection[],
  count: number,
  universe: readonly Circumstance[],
): readonly Projection[] {
  return ONE_AT_A_TIME.reduce((kept, dimension) => {
    const others = kept.filter(([d]) => d !== dimension);
    if (others.length === 0 || others.length === kept.length) return kept;
    const inside = universe.filter((c) => others.every(([d, values]) => values.has(c[d])));
    return inside.length === count ? others : kept;
  }, named);
}

/** The dimension that leads to the fewest conditions. */
function splittingOf(of: readonly Circumstance[], dimensions: readonly Dimension[]): Dimension {
  const kinds = dimensions.flatMap((d): (readonly [Dimension, number])[] => {
    const values = valuesOf(of, d);
    if (values.length < 2) return [];
    const slices = values.map((value) =>
      of
        .filter((c) => c[d] === value)
        .map((c) => JSON.stringify({ ...c, [d]: '' }))
        .sort()
        .join(),
    );
    return [[d, new Set(slices).size]];
  });
  const differing = kinds.filter(([, n]) => n > 1).sort((a, b) => a[1] - b[1]);
  return (differing[0] ?? kinds[0]!)[0];
}

/** not as much as an explicit consent to each category */
const IMPLIED: ReadonlySet<string> = new Set(['agreed_tacitly', 'agreed_generally']);

/** For people without known consents, but not for those who agreed. */
export function consentWords(when: readonly Condition[]): string {
  const states = when.map((c) => c.state);
  if (states.length === 0 || !states.every((s) => s?.includes('none') && !s.includes('agreed'))) return '';
  return states.some((s) => s?.some((name) => IMPLIED.has(name)))
    ? ' without explicit consent'
    : ' without consent';
}

const NAMES: { readonly [D in Dimension]: string } = {
  tier: 'tier',
  action: 'action',
  kind: 'caller',
  department: 'department',
  organization: 'organization',
  factor: 'signed in with',
  justification: 'justification',
  clearance: 'clearance',
  state: 'data subject',
};

/** One line for each condition. @param states all queried states */
export const conditionTexts = (
  { when, about }: { readonly when: readonly Condition[]; readonly about: Subject },
  states: readonly string[],
): string[] =>
  when
    .map((condition) =>
      DIMENSIONS.flatMap((d) => {
        const values = condition[d];
        if (values === undefined || (d === 'action' && about === 'request')) return [];
        const spelled =
          d === 'clearance' ? ranges(values) : d === 'state' ? statesOf(values, states) : values.join(', ');
        return [`${NAMES[d]} ${spelled}`];
      }).join('; '),
    )
    .filter((text) => text !== '');

/** Lists the excluded values if they are fewer. */
function statesOf(values: readonly string[], states: readonly string[]): string {
  const others = states.filter((state) => !values.includes(state));
  return others.length < values.length && others.length > 0
    ? `any but ${others.join(', ')}`
    : states.filter((state) => values.includes(state)).join(', ');
}

/** `3–5` for 3, 4 and 5 */
function ranges(values: readonly string[]): string {
  const [numbers, others] = [values.filter((v) => /^\d+$/.test(v)), values.filter((v) => !/^\d+$/.test(v))];
  return [...(numbers.length === 0 ? [] : [spellSpans(spansOf(numbers.map(Number)))]), ...others].join(', ');
}
