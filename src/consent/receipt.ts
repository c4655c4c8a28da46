/**
 * Receipts of consents (ISO/IEC TS 27560, in terms of the W3C Data Privacy Vocabulary): what the data subject keeps of a consent record. A receipt
 * is made of one event of the store, which never changes, so it can be made again. It holds no personal data but the id of the data subject: not
 * where the evidence is kept nor how it was said, which people write in their own words.
 */
import { isDeepStrictEqual } from 'node:util';
import { SluiceError } from '../errors.ts';
import type { Signed, Signing } from '../model/signing.ts';
import type { ConsentRecords } from './records.ts';
import type { ConsentEvent, ConsentRecord } from './statement.ts';

const CONTEXT = {
  dpv: 'https://w3id.org/dpv#',
  dct: 'http://purl.org/dc/terms/',
  sluice: 'urn:sluice:',
} as const;

export type ReceiptEvent = ConsentEvent & { readonly consent: ConsentRecord };

export interface Receipt {
  readonly '@context': typeof CONTEXT;
  readonly '@type': 'dpv:ConsentReceipt';
  readonly 'dct:identifier': string;
  readonly 'dpv:hasDataSubject': string;
  readonly 'dpv:hasPurpose': string;
  readonly 'dct:subject'?: string;
  readonly 'dpv:hasPersonalData': readonly string[];
  readonly 'dpv:hasRecipient': string;
  readonly 'dpv:hasConsentStatus': ConsentRecord['status'];
  readonly 'dpv:isExplicit': boolean;
  /** when the data subject said so */
  readonly 'dct:date': string;
  readonly 'dct:valid'?: string;
  readonly 'dpv:hasExpiry'?: string;
  readonly 'dpv:hasNotice'?: string;
  /** `version` of the event: 1, 2, 3 … for each data subject */
  readonly 'sluice:event': number;
  /** when it was recorded */
  readonly 'dct:issued': string;
}

export const receiptOf = ({ data_subject, version, at, consent }: ReceiptEvent): Receipt => ({
  '@context': CONTEXT,
  '@type': 'dpv:ConsentReceipt',
  'dct:identifier': consent.record_id,
  'dpv:hasDataSubject': data_subject,
  'dpv:hasPurpose': consent.purpose,
  ...(consent.purpose_term === undefined ? {} : { 'dct:subject': consent.purpose_term }),
  'dpv:hasPersonalData': consent.categories,
  'dpv:hasRecipient': consent.recipient,
  'dpv:hasConsentStatus': consent.status,
  'dpv:isExplicit': consent.explicit,
  'dct:date': consent.at,
  ...(consent.from === undefined ? {} : { 'dct:valid': consent.from }),
  ...(consent.until === undefined ? {} : { 'dpv:hasExpiry': consent.until }),
  ...(consent.notice === undefined ? {} : { 'dpv:hasNotice': consent.notice }),
  'sluice:event': version,
  'dct:issued': at,
});

/** A compact JWS. @throws SluiceError `signing_key_unavailable` */
export const signedReceipt = (event: ReceiptEvent, signing: Pick<Signing, 'sign'>): Promise<string> =>
  signing.sign('consent-receipt', { ...receiptOf(event) });

export interface CheckedReceipt {
  readonly receipt: Receipt;
  readonly kid: string;
  /** what has been said since then about the same purpose and recipient, or about all, oldest first */
  readonly since: readonly ReceiptEvent[];
}

/**
 * A receipt holds if it was signed here and the store has its event.
 * @throws SluiceError `signature_invalid`, `signing_key_unavailable`, `receipt_unknown`, `store_unavailable`
 */
export async function checkReceipt(
  token: string,
  records: Pick<ConsentRecords, 'history'>,
  signing: Pick<Signing, 'verify'>,
): Promise<CheckedReceipt> {
  const { payload, kid } = await signing.verify('consent-receipt', token);
  const receipt = payload as Signed['payload'] & Receipt;
  const events = withConsent(await records.history(String(receipt['dpv:hasDataSubject'])));
  const event = events.find(({ version }) => version === receipt['sluice:event']);
  if (event === undefined || !isDeepStrictEqual(JSON.parse(JSON.stringify(receiptOf(event))), payload))
    throw new SluiceError(
      'receipt_unknown',
      'The signature is right, and the store does not have the event that the receipt is about: it was restored from an older backup, or is another store.',
    );
  const { purpose, recipient } = event.consent;
  const since = events.filter(
    ({ version, consent }) =>
      version > event.version &&
      [purpose, '*'].includes(consent.purpose) &&
      [recipient, '*'].includes(consent.recipient),
  );
  return { receipt, kid, since };
}

/** Of the statements that the events are about, the newest event each, oldest first. */
export function newest(events: readonly ReceiptEvent[]): readonly ReceiptEvent[] {
  // An import may give one id to what was said for several purposes.
  const by = new Map(
    events.map((event) => {
      const { record_id, purpose, recipient } = event.consent;
      return [JSON.stringify([record_id, purpose, recipient]), event];
    }),
  );
  return [...by.values()].sort((a, b) => a.version - b.version);
}

export const withConsent = (events: readonly ConsentEvent[]): readonly ReceiptEvent[] =>
  events.filter((event): event is ReceiptEvent => event.consent !== null);
