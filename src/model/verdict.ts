/**
 * How an answer of the policy is read, and how the next question follows from it. The only place that says so: the proxy, the guard of
 * searches and writes and every command go by these functions, so that what a command tells is what the proxy does.
 */
import type { DecisionAnswer, DisclosureAnswer, TreatmentChoice, TreatmentName } from './answers.ts';
import type { Catalog } from './catalog.ts';
import type { DataSubjectState } from './consent.ts';
import type { DisclosureInput, PolicyInput, Tier } from './input.ts';

/**
 * From the treatment that tells a recipient most to the one that tells least, in the order of the default policy
 * (`policies/sluice/treatment`), so that "the strictest" is one thing. `encrypt` stands next to `disclose`: it hides the value from everybody but
 * the recipient, who is the one the policy is about. `tokenize` can be reversed by asking, `pseudonymize` cannot.
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

/** 0 is the mildest; what is no treatment drops, and is as strict as that. */
export function strictnessOf(treatment: string): number {
  const rank = STRICTNESS.indexOf(treatment);
  return rank < 0 ? STRICTNESS.length - 1 : rank;
}

export const UNNAMED: TreatmentChoice = { do: 'drop', because: 'class_not_named' };
export const UNCATALOGUED: TreatmentChoice = { do: 'drop', because: 'uncatalogued' };
export const EMBEDDED: TreatmentChoice = { do: 'drop', because: 'embedded_resource' };
const DIFFERS: TreatmentChoice = { do: 'drop', because: 'answers_differ' };

/** Of two answers about one field the one that holds. */
export function stricter(a: TreatmentChoice, b: TreatmentChoice): TreatmentChoice {
  if (!STRICTNESS.includes(a.do)) return a;
  if (!STRICTNESS.includes(b.do)) return b;
  const [ra, rb] = [strictnessOf(a.do), strictnessOf(b.do)];
  if (ra !== rb) return ra > rb ? a : b;
  return JSON.stringify(a.with ?? {}) === JSON.stringify(b.with ?? {}) ? a : DIFFERS;
}

/** Codes of the reasons why an answer withholds the whole record; null: it does not. */
export function withheldBy(answer: DisclosureAnswer): readonly string[] | null {
  if (answer.disclose === true) return null;
  return answer.reasons.length > 0 ? answer.reasons.map((r) => r.code) : ['withheld'];
}

/** A field as far as an answer may speak of it. */
export interface Addressed {
  /** canonical pointers that it may be named by, the field's own first, then what it is a part of */
  readonly pointers: readonly string[];
  /** null: the catalog has no line for it */
  readonly cls: string | null;
  /** an embedded resource: an answer can leave it out and never open it */
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

/** Fields that an answer names and does not disclose, as it spells them. */
export const hiddenByName = (answer: DisclosureAnswer): readonly string[] =>
  Object.entries(answer.fields).flatMap(([name, choice]) => (choice.do === 'disclose' ? [] : [name]));

/** The tier in force: what the policy takes it to be, else what the request named. */
export const tierInForce = (answer: DecisionAnswer, requested: Tier | null): Tier | null =>
  answer.tier ?? requested;

/** What the policy is asked after a decision: the same request in the tier in force. */
export function inTier(input: PolicyInput, tier: Tier | null): PolicyInput {
  return tier === input.context.tier ? input : { ...input, context: { ...input.context, tier } };
}

/** The same request about another resource: one that is embedded, or one of the types that its records may have. */
export const aboutResource = (input: PolicyInput, resource: string): PolicyInput =>
  resource === input.resource.type
    ? input
    : { ...input, resource: { type: resource, properties: input.resource.properties } };

/**
 * A write's own answer says what may be written; what is shown of the record is what the caller may read, or a field that can be
 * written and not read would be read by writing to its neighbour.
 */
export const asRead = (input: PolicyInput): PolicyInput => ({
  ...input,
  action: { ...input.action, name: 'read' },
});

const NO_ATTRIBUTES: DisclosureInput['record']['attributes'] = Object.freeze({});

/** The question about one state of data subjects. */
export const disclosureInput = (
  input: PolicyInput,
  resource: string,
  data_subject: DataSubjectState,
  attributes: DisclosureInput['record']['attributes'] = NO_ATTRIBUTES,
): DisclosureInput => ({ ...aboutResource(input, resource), data_subject, record: { attributes } });

/** The catalogs that records of a resource may have. */
export function variantsOf(catalogs: ReadonlyMap<string, Catalog>, catalog: Catalog): readonly Catalog[] {
  if (catalog.variants === undefined) return [catalog];
  return [...new Set(Object.values(catalog.variants.of))].flatMap((name) => catalogs.get(name) ?? []);
}
