/** Consents of FHIR R4 (https://hl7.org/fhir/R4/consent.html): one resource, a Bundle, or one resource a line. */
import type { Raw } from './read.ts';

export type Found = { readonly raw: readonly Raw[] } | { readonly reason: string };

interface Coding {
  readonly code?: string;
}
interface Consent {
  readonly resourceType?: string;
  readonly id?: string;
  readonly status?: string;
  readonly dateTime?: string;
  readonly patient?: { readonly reference?: string; readonly identifier?: { readonly value?: string } };
  readonly sourceReference?: { readonly reference?: string };
  readonly sourceAttachment?: { readonly url?: string };
  readonly policy?: readonly { readonly uri?: string }[];
  readonly provision?: {
    readonly type?: string;
    readonly period?: { readonly start?: string; readonly end?: string };
    readonly purpose?: readonly Coding[];
    readonly class?: readonly Coding[];
    readonly actor?: readonly {
      readonly reference?: { readonly reference?: string; readonly identifier?: { readonly value?: string } };
    }[];
    readonly provision?: readonly unknown[];
  };
}
interface Bundle {
  readonly resourceType?: string;
  readonly entry?: readonly { readonly resource?: unknown }[];
}

export function* fromFhir(value: unknown): Generator<Found> {
  if (typeof value !== 'object' || value === null) {
    yield { reason: 'is no FHIR resource' };
    return;
  }
  const { resourceType, entry = [] } = value as Bundle;
  if (resourceType === 'Bundle')
    for (const { resource } of entry) yield consentOf((resource ?? {}) as Consent);
  else yield consentOf(value as Consent);
}

/** `active` is in force; what was refused or ended is a refusal; a draft or an error says nothing. */
const STATUSES: Readonly<Record<string, 'given' | 'withdrawn'>> = {
  active: 'given',
  inactive: 'withdrawn',
  rejected: 'withdrawn',
};

function consentOf(consent: Consent): Found {
  if (consent.resourceType !== 'Consent')
    return { reason: `is a ${consent.resourceType ?? 'document'}, not a Consent` };
  const { provision = {}, status = '' } = consent;
  // An exception inside a rule would be lost, and with it a refusal.
  if ((provision.provision ?? []).length > 0)
    return { reason: 'provision.provision: exceptions have no form here' };
  const known = STATUSES[status];
  if (known === undefined) return { reason: `status: "${status}" says neither given nor withdrawn` };
  const purposes = codes(provision.purpose);
  if (purposes.length === 0) return { reason: 'provision.purpose: is missing' };
  const actors = (provision.actor ?? []).map(({ reference }) => idOf(reference));
  const classes = codes(provision.class);
  const raw = purposes.flatMap((purpose, i) =>
    (actors.length === 0 ? [undefined] : actors).map(
      (recipient, n): Raw => ({
        data_subject: idOf(consent.patient),
        id: consent.id === undefined ? undefined : i + n === 0 ? consent.id : `${consent.id}.${i}.${n}`,
        purpose,
        categories: classes.length === 0 ? ['*'] : classes,
        recipient,
        status: provision.type === 'deny' ? 'withdrawn' : known,
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

const codes = (list: readonly Coding[] = []): string[] => list.flatMap(({ code }) => (code ? [code] : []));

/** `Patient/C100234` and an identifier name the same. */
const idOf = (
  reference: { readonly reference?: string; readonly identifier?: { readonly value?: string } } = {},
): string | undefined => reference.identifier?.value ?? reference.reference?.split('/').at(-1);
