/**
 * Consent records of ISO/IEC TS 27560 as JSON-LD in terms of the W3C Data Privacy Vocabulary (https://w3id.org/dpv/guides/consent-27560). Terms are
 * recognized by their names, with or without a prefix; no context is fetched.
 */
import type { ConsentRecord } from '../../consent/index.ts';
import type { Raw } from './read.ts';
import type { Found } from './fhir.ts';

const CONTEXT = { dpv: 'https://w3id.org/dpv#', dct: 'http://purl.org/dc/terms/' };

export const toDpv = (data_subject: string, record: ConsentRecord): Readonly<Record<string, unknown>> => ({
  '@context': CONTEXT,
  '@type': 'dpv:ConsentRecord',
  'dct:identifier': record.record_id,
  'dpv:hasDataSubject': data_subject,
  'dpv:hasPurpose': record.purpose,
  ...(record.purpose_term === undefined ? {} : { 'dct:subject': record.purpose_term }),
  'dpv:hasPersonalData': record.categories,
  'dpv:hasRecipient': record.recipient,
  'dpv:hasConsentStatus': record.status,
  'dpv:isExplicit': record.explicit,
  'dct:date': record.at,
  ...(record.from === undefined ? {} : { 'dct:valid': record.from }),
  ...(record.until === undefined ? {} : { 'dpv:hasExpiry': record.until }),
  ...(record.notice === undefined ? {} : { 'dpv:hasNotice': record.notice }),
  ...(record.evidence === undefined ? {} : { 'dct:source': record.evidence }),
  ...(record.method === undefined ? {} : { 'dpv:hasIndicationMethod': record.method }),
});

export function* fromDpv(value: unknown): Generator<Found> {
  const graph = Array.isArray(value) ? value : (value as { '@graph'?: unknown } | null)?.['@graph'];
  for (const node of Array.isArray(graph) ? graph : [value]) yield recordOf(node);
}

const STATUSES: Readonly<Record<string, 'given' | 'withdrawn'>> = {
  ConsentGiven: 'given',
  RenewedConsentGiven: 'given',
  ConsentWithdrawn: 'withdrawn',
  ConsentRefused: 'withdrawn',
  ConsentRevoked: 'withdrawn',
  ConsentInvalidated: 'withdrawn',
};

/** Ends of a consent that have no form here: one that is given would have none. */
const LIMITS = ['hasExpiryTime', 'hasExpiryCondition', 'hasDuration'];

function recordOf(node: unknown): Found {
  if (typeof node !== 'object' || node === null) return { reason: 'is no object' };
  const members = new Map<string, unknown>();
  for (const [name, value] of Object.entries(node)) {
    const term = nameOf(name);
    if (members.has(term)) return { reason: `dpv:${term}: is there twice` };
    members.set(term, value ?? undefined);
  }
  for (const name of ONCE)
    if (members.get(name) !== undefined && textsOf(members.get(name))?.length !== 1)
      return { reason: `dpv:${name}: must be one name or text; give one record for each` };
  const categories = textsOf(members.get('hasPersonalData') ?? []);
  if (categories === null) return { reason: 'dpv:hasPersonalData: must be names' };
  const one = (name: string): string | undefined => textsOf(members.get(name))?.[0];
  const status = STATUSES[nameOf(one('hasConsentStatus') ?? '')];
  if (status === undefined) return { reason: 'dpv:hasConsentStatus: says neither given nor withdrawn' };
  const limit = LIMITS.find((name) => members.get(name) !== undefined);
  if (status === 'given' && limit !== undefined)
    return { reason: `dpv:${limit}: a limit that has no form here; write dpv:hasExpiry` };
  const raw: Raw = {
    id: one('identifier') ?? one('@id'),
    data_subject: one('hasDataSubject'),
    purpose: one('hasPurpose'),
    categories,
    recipient: one('hasRecipient'),
    status,
    explicit: members.get('isExplicit'),
    at: one('date') ?? one('hasIndicatedAtTime') ?? one('isIndicatedAtTime'),
    from: one('valid'),
    until: one('hasExpiry'),
    notice: one('hasNotice'),
    evidence: one('source'),
    method: one('hasIndicationMethod'),
  };
  return { raw: [raw] };
}

/** Of several, one would be lost; one that cannot be read would be taken for absent. */
const ONCE = [
  'hasDataSubject',
  'hasPurpose',
  'hasRecipient',
  'hasConsentStatus',
  'date',
  'hasIndicatedAtTime',
  'isIndicatedAtTime',
  'valid',
  'hasExpiry',
];

/** The name without a prefix: `dpv:hasPurpose`, `https://w3id.org/dpv#hasPurpose`. */
const nameOf = (term: string): string => (term.startsWith('@') ? term : (/[^:/#]*$/.exec(term)?.[0] ?? term));

/** Texts of a value: alone, in a list, or as `@id` and `@value`. Null: something else is among them. */
function textsOf(value: unknown): readonly string[] | null {
  if (typeof value === 'string') return [value];
  if (Array.isArray(value)) {
    const texts = value.map(textsOf);
    return texts.includes(null) ? null : texts.flatMap((some) => some ?? []);
  }
  if (typeof value !== 'object' || value === null) return null;
  const { '@value': literal, '@id': id } = value as { '@value'?: unknown; '@id'?: unknown };
  return textsOf(literal ?? id);
}
