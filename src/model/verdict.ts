/**
 * How answers of the policy are interpreted, and how the input of the next query follows from them. This is the only place: the proxy, the guard of
 * searches and writes, and all commands use these functions, so that commands show what the proxy does.
 */
import type { DecisionAnswer, DisclosureAnswer, TreatmentChoice, TreatmentName } from './answers.ts';
import type { Catalog } from './catalog.ts';
import type { DataSubjectState } from './consent.ts';
import type { DisclosureInput, Grant, PolicyInput, Tier } from './input.ts';

/**
 * Treatments, from the one that reveals most to a recipient to the one that reveals least, in the order of the default policy
 * (`policies/sluice/treatment`), so that "strictest" has one meaning. `encrypt` is next to `disclose`: it hides the value from everybody except
 * the recipient. `tokenize` can be reversed on request, `pseudonymize` cannot.
 */
const STRICTNESS: readonly string[] = [
  'disclose',
  'encrypt',
  'scrub',
  'generalize',
  'mask',
  'tokenize',
  'pseudonymize',
  'nullify',
  'drop',
] satisfies TreatmentName[];

/** 0 is the least strict; an unknown treatment drops the field and is as strict as `drop`. */
export function strictnessOf(treatment: string): number {
  const rank = STRICTNESS.indexOf(treatment);
  return rank < 0 ? STRICTNESS.length - 1 : rank;
}

const UNNAMED: TreatmentChoice = { do: 'drop', because: 'class_not_named' };
const UNCATALOGUED: TreatmentChoice = { do: 'drop', because: 'uncatalogued' };
const EMBEDDED: TreatmentChoice = { do: 'drop', because: 'embedded_resource' };
const DIFFERS: TreatmentChoice = { do: 'drop', because: 'answers_differ' };

/** The stricter of two answers about one field. */
export function stricter(a: TreatmentChoice, b: TreatmentChoice): TreatmentChoice {
  if (!STRICTNESS.includes(a.do)) return a;
  if (!STRICTNESS.includes(b.do)) return b;
  const [ra, rb] = [strictnessOf(a.do), strictnessOf(b.do)];
  if (ra !== rb) return ra > rb ? a : b;
  return JSON.stringify(a.with ?? {}) === JSON.stringify(b.with ?? {}) ? a : DIFFERS;
}

/** Codes of the reasons why an answer withholds the entire record; null: it does not. */
export function withheldBy(answer: DisclosureAnswer): readonly string[] | null {
  if (answer.disclose === true) return null;
  return answer.reasons.length > 0 ? answer.reasons.map((r) => r.code) : ['withheld'];
}

/** The names by which an answer may refer to a field. */
export interface Addressed {
  /** canonical pointers of the field itself, then of what contains it */
  readonly pointers: readonly string[];
  /** null: the catalog has no entry for it */
  readonly cls: string | null;
  /** an embedded resource: an answer can drop it but not disclose it */
  readonly embedded?: boolean;
}

/** @param named the answer's `fields` by canonical pointer */
export function choiceIn(
  answer: DisclosureAnswer,
  named: ReadonlyMap<string, TreatmentChoice>,
  { pointers, cls, embedded }: Addressed,
): TreatmentChoice {
  const withheld = withheldBy(answer);
  if (withheld !== null) return { do: 'drop', because: withheld[0]! };
  for (const pointer of pointers) {
    const own = named.get(pointer);
    if (own === undefined) continue;
    return embedded !== true || own.do === 'drop' || own.do === 'nullify' ? own : EMBEDDED;
  }
  if (embedded === true) return EMBEDDED;
  if (cls === null) return UNCATALOGUED;
  return Object.hasOwn(answer.classes, cls) ? answer.classes[cls]! : UNNAMED;
}

/** Fields that an answer names and does not disclose, as the answer writes them. */
export const hiddenByName = (answer: DisclosureAnswer): readonly string[] =>
  Object.entries(answer.fields).flatMap(([name, choice]) => (choice.do === 'disclose' ? [] : [name]));

/**
 * The answer without categories: their classes are dropped, and so is every field of them, since what an answer says of a field wins over its class.
 * @param categories category → reason
 */
export function withoutCategories(
  answer: DisclosureAnswer,
  { fields }: Catalog,
  categories: ReadonlyMap<string, string>,
): DisclosureAnswer {
  const dropped = (category: string): readonly TreatmentChoice[] => {
    const because = categories.get(category);
    return because === undefined ? [] : [{ do: 'drop', because }];
  };
  const classes = Object.entries(answer.classes).map(([cls, choice]) => [
    cls,
    dropped(cls.slice(0, cls.indexOf('/')))[0] ?? choice,
  ]);
  const named = Object.entries(fields).flatMap(([pointer, entry]) =>
    'category' in entry ? dropped(entry.category).map((choice) => [pointer, choice] as const) : [],
  );
  return Object.freeze({
    ...answer,
    classes: Object.fromEntries(classes) as DisclosureAnswer['classes'],
    fields: { ...answer.fields, ...Object.fromEntries(named) },
  });
}

/** The effective tier: the policy's, else the one that the request named. */
export const tierInForce = (answer: DecisionAnswer, requested: Tier | null): Tier | null =>
  answer.tier ?? requested;

/** The same request of a caller who holds this grant besides. */
export const asIfGranted = (input: PolicyInput, grant: Grant): PolicyInput => ({
  ...input,
  context: { ...input.context, grants: [...input.context.grants, grant] },
});

/** The input of the next query after a decision: the same request in the effective tier. */
export function inTier(input: PolicyInput, tier: Tier | null): PolicyInput {
  return tier === input.context.tier ? input : { ...input, context: { ...input.context, tier } };
}

/** The same request about another resource: an embedded one, or one of the types that its records may have. */
export const aboutResource = (input: PolicyInput, resource: string): PolicyInput =>
  resource === input.resource.type
    ? input
    : { ...input, resource: { type: resource, properties: input.resource.properties } };

/**
 * The answer about a write states what may be written. What is shown of the record is decided as for a read; otherwise a field that can be
 * written but not read could be read by writing another field.
 */
export const asRead = (input: PolicyInput): PolicyInput => ({
  ...input,
  action: { ...input.action, name: 'read' },
});

const NO_ATTRIBUTES: DisclosureInput['record']['attributes'] = Object.freeze({});

/** The input of a query about one state of data subjects. */
export const disclosureInput = (
  input: PolicyInput,
  resource: string,
  data_subject: DataSubjectState,
  attributes: DisclosureInput['record']['attributes'] = NO_ATTRIBUTES,
): DisclosureInput => {
  const { action, context, resource: about, subject } = aboutResource(input, resource);
  return { action, context, data_subject, record: { attributes }, resource: about, subject };
};

/** The catalogs that records of a resource may have. */
export function variantsOf(catalogs: ReadonlyMap<string, Catalog>, catalog: Catalog): readonly Catalog[] {
  if (catalog.variants === undefined) return [catalog];
  return [...new Set(Object.values(catalog.variants.of))].flatMap((name) => catalogs.get(name) ?? []);
}
