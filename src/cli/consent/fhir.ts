/** Consents of FHIR R4 (https://hl7.org/fhir/R4/consent.html): one resource, a Bundle, or one resource a line. */
import { compiledFault, type Static, type TSchema, Type } from '../../documents/kinds.ts';
import type { Raw } from './read.ts';

export type Found = { readonly raw: readonly Raw[] } | { readonly reason: string };

const list = <S extends TSchema>(schema: S) => Type.Optional(Type.Array(schema));
const coding = Type.Object({ code: Type.String({ minLength: 1 }) });
const referenceSchema = Type.Object({
  reference: Type.Optional(Type.String()),
  identifier: Type.Optional(Type.Object({ value: Type.Optional(Type.String()) })),
});
/** The parts that are read. What a part lacks that is needed here, a code for example, would be taken for the absence of the part. */
const consentSchema = Type.Object({
  resourceType: Type.Literal('Consent'),
  id: Type.Optional(Type.String()),
  status: Type.String(),
  dateTime: Type.Optional(Type.String()),
  patient: Type.Optional(referenceSchema),
  sourceReference: Type.Optional(Type.Object({ reference: Type.Optional(Type.String()) })),
  sourceAttachment: Type.Optional(Type.Object({ url: Type.Optional(Type.String()) })),
  policy: list(Type.Object({ uri: Type.Optional(Type.String()) })),
  policyRule: Type.Optional(Type.Object({ coding: list(coding) })),
  provision: Type.Optional(
    Type.Object({
      type: Type.Optional(Type.Unsafe<'permit' | 'deny'>({ enum: ['permit', 'deny'] })),
      period: Type.Optional(
        Type.Object({ start: Type.Optional(Type.String()), end: Type.Optional(Type.String()) }),
      ),
      purpose: list(coding),
      class: list(coding),
      actor: list(Type.Object({ reference: Type.Optional(referenceSchema) })),
      provision: list(Type.Unknown()),
    }),
  ),
});
type Consent = Static<typeof consentSchema>;
const faultOf = compiledFault(consentSchema);

export function* fromFhir(value: unknown): Generator<Found> {
  if (typeof value !== 'object' || value === null) {
    yield { reason: 'is no FHIR resource' };
    return;
  }
  const { resourceType, entry = [] } = value as { resourceType?: unknown; entry?: unknown };
  if (resourceType !== 'Bundle') yield consentOf(value);
  else if (!Array.isArray(entry)) yield { reason: 'entry: is no list' };
  else for (const one of entry) yield consentOf((one as { resource?: unknown } | null)?.resource);
}

/** `active` is in force; what was refused or ended is a refusal; a draft or an error says nothing. */
const STATUSES: Readonly<Record<string, 'given' | 'withdrawn'>> = {
  active: 'given',
  inactive: 'withdrawn',
  rejected: 'withdrawn',
};

/** Limits of a consent that have no form here. A refusal without them is wider, which takes nothing from the data subject. */
const LIMITS = ['action', 'securityLabel', 'code', 'dataPeriod', 'data'] as const;

/** Elements that change the meaning of what is around them; whoever does not know them must not go on (FHIR R4, 2.4 and 2.27). */
const isModified = (element: object): boolean => 'modifierExtension' in element || 'implicitRules' in element;

function consentOf(value: unknown): Found {
  const { resourceType } = (value ?? {}) as { resourceType?: unknown };
  if (resourceType !== 'Consent')
    return { reason: `is a ${typeof resourceType === 'string' ? resourceType : 'document'}, not a Consent` };
  const fault = faultOf(value);
  if (fault !== null) return { reason: fault };
  const consent = value as Consent;
  const { provision = {}, status } = consent;
  if ([consent, provision, ...(provision.actor ?? [])].some(isModified))
    return { reason: 'modifierExtension, implicitRules: change the meaning and are not known here' };
  // An exception inside a rule would be lost, and with it a refusal.
  if ((provision.provision ?? []).length > 0)
    return { reason: 'provision.provision: exceptions have no form here' };
  const known = STATUSES[status];
  if (known === undefined) return { reason: `status: "${status}" says neither given nor withdrawn` };
  const rules = codes(consent.policyRule?.coding);
  const isOptOut = rules.some((code) => code === 'OPTOUT' || code === 'OPTOUTE');
  if (isOptOut && provision.type === 'permit')
    return { reason: 'policyRule: an opt-out with a permission says neither given nor withdrawn' };
  const said = isOptOut || provision.type === 'deny' ? 'withdrawn' : known;
  if (said === 'given') {
    const limit = LIMITS.find((name) => name in provision);
    if (limit !== undefined) return { reason: `provision.${limit}: a limit that has no form here` };
    if (rules.includes('OPTINR')) return { reason: 'policyRule: restrictions have no form here' };
  }
  const purposes = codes(provision.purpose);
  if (purposes.length === 0) return { reason: 'provision.purpose: is missing' };
  const actors = (provision.actor ?? []).map(({ reference }) => idOf(reference));
  if (actors.includes(undefined))
    return { reason: 'provision.actor: a recipient has neither an identifier nor a reference' };
  const classes = codes(provision.class);
  const raw = purposes.flatMap((purpose, i) =>
    (actors.length === 0 ? [undefined] : actors).map(
      (recipient, n): Raw => ({
        data_subject: idOf(consent.patient),
        id: consent.id === undefined ? undefined : i + n === 0 ? consent.id : `${consent.id}.${i}.${n}`,
        purpose,
        categories: classes.length === 0 ? ['*'] : classes,
        recipient,
        status: said,
        explicit: true,
        at: consent.dateTime,
        from: provision.period?.start,
        until: provision.period?.end,
        notice: consent.policy?.[0]?.uri,
        evidence: consent.sourceReference?.reference ?? consent.sourceAttachment?.url,
        method: 'FHIR Consent',
      }),
    ),
  );
  return { raw };
}

const codes = (list: readonly Static<typeof coding>[] = []): string[] => list.map(({ code }) => code);

/**
 * `Patient/C100234`, a version of it (`Patient/C100234/_history/2`) and an identifier name the same. A contained resource, an entry of a Bundle
 * (`urn:`) and a search name nobody who is known outside.
 */
function idOf({ identifier, reference }: Static<typeof referenceSchema> = {}): string | undefined {
  if (identifier?.value !== undefined) return identifier.value;
  if (reference === undefined || /^#|^urn:|[?|]/.test(reference)) return undefined;
  return reference
    .replace(/\/_history\/[^/]*$/, '')
    .split('/')
    .at(-1);
}
