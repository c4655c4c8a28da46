/** What data subjects say, as it is kept: consent records, events, and the checks of what is written. */
import { createHash } from 'node:crypto';
import { compiledFault } from '../documents/kinds.ts';
import { SluiceError } from '../errors.ts';
import { faultOfId } from '../model/spelling.ts';
import { contradictionsOf } from './entry.ts';
import { momentOf } from './merge.ts';
import { type ConsentEntry, entrySchema, type StoredConsent } from './schema.ts';

const faultOfEntry = compiledFault(entrySchema);

/** What a data subject has said about one purpose and recipient. Which of two statements is newer cannot be told without a moment. */
export interface Statement {
  readonly data_subject: string;
  readonly consent: StoredConsent & { readonly at: string };
  readonly evidence: Evidence;
  /** it is said at `at`, which is now: it counts as newest, also where the store has a later moment, or a refusal without one */
  readonly isSaidNow?: boolean;
}

/** What shows that it was said. */
export interface Evidence {
  /** version or address of the notice that was shown */
  readonly notice?: string;
  /** where the proof is kept: a document, a call, a form */
  readonly evidence?: string;
  /** how it was said: `web form`, `phone`, `paper` */
  readonly method?: string;
}

/** A consent record (ISO/IEC TS 27560:2023, in the terms of the W3C Data Privacy Vocabulary). */
export interface ConsentRecord extends Evidence {
  readonly record_id: string;
  readonly purpose: string;
  /** term of the DPV, if the policy names one */
  readonly purpose_term?: string;
  readonly categories: readonly string[];
  readonly recipient: string;
  readonly status: 'dpv:ConsentGiven' | 'dpv:ConsentWithdrawn';
  readonly explicit: boolean;
  /** when the data subject said so */
  readonly at: string;
  readonly from?: string;
  readonly until?: string;
}

export interface ConsentEvent {
  readonly data_subject: string;
  /** 1, 2, 3 … for each data subject */
  readonly version: number;
  /** RFC 3339: when it was recorded */
  readonly at: string;
  readonly actor: string;
  readonly what: What;
  /** null: flags or aliases alone have changed */
  readonly consent: ConsentRecord | null;
  /** the entry afterwards */
  readonly entry: ConsentEntry | null;
}

export type What = 'given' | 'withdrawn' | 'flags' | 'aliases';

/** A change of everything that is kept about one data subject. */
export interface Edit {
  readonly data_subject: string;
  readonly statements?: readonly Statement[];
  readonly addFlags?: readonly string[];
  readonly removeFlags?: readonly string[];
  readonly aliases?: readonly { readonly type: string; readonly alias: string }[];
}

/** The moment of a statement that is made now: after everything that was said about the same. */
export const momentAfter = (known: readonly StoredConsent[], now: Date): string =>
  new Date(
    known.reduce(
      (latest, consent) => (consent.at === undefined ? latest : Math.max(latest, momentOf(consent) + 1)),
      now.getTime(),
    ),
  ).toISOString();

/** Whoever says it now has not seen what was written since they looked: it is the newest all the same. */
export const asNewest = (
  said: Statement['consent'],
  { consents = [] }: ConsentEntry,
): Statement['consent'] => {
  const known = consents.filter((c) => c.purpose === said.purpose && c.recipient === said.recipient);
  return { ...said, at: momentAfter(known, new Date(said.at)) };
};

/** The id of a consent record that has none: the same for the same statement. */
export const recordIdOf = (data_subject: string, consent: Omit<StoredConsent, 'id'>): string => {
  const { purpose, recipient, categories, at } = consent;
  const text = JSON.stringify([data_subject, purpose, recipient, [...categories].sort(), at]);
  return `c-${createHash('sha256').update(text).digest('base64url').slice(0, 22)}`;
};

/** @throws SluiceError `consent_invalid` */
export function checkEdit({
  data_subject,
  statements = [],
  addFlags = [],
  removeFlags = [],
  aliases = [],
}: Edit): void {
  const wrong = (message: string): never => {
    throw new SluiceError('consent_invalid', message);
  };
  const named = (what: string, text: string): void => {
    const fault = faultOfId(what, text);
    if (fault !== null) wrong(fault);
  };
  named('The id of a data subject', data_subject);
  for (const { type, alias } of aliases) {
    named('The type of an alias', type);
    named('An alias', alias);
  }
  const entry = { flags: [...new Set(addFlags)], consents: statements.map(({ consent }) => consent) };
  for (const flag of addFlags) {
    named('A flag', flag);
    if (removeFlags.includes(flag)) wrong('One flag is added and removed: say which of the two is meant.');
  }
  for (const { consent } of statements) {
    if (consent.at === undefined)
      wrong('at: is missing. Say when the data subject said so: of two statements the newer one counts.');
    for (const { key, message } of contradictionsOf(consent)) wrong(`${key}: ${message}.`);
  }
  const fault = faultOfEntry(entry);
  if (fault !== null) wrong(`The entry of schemas/consents.schema.json: ${fault}.`);
}
