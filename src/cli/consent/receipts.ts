/** `sluice consent receipt` and `verify-receipt`: what a data subject keeps of a consent, and whether it holds. */
import type { Command } from 'commander';
import {
  checkReceipt,
  type ConsentRecords,
  newest,
  receiptOf,
  signedReceipt,
  withConsent,
} from '../../consent/index.ts';
import type { Signing } from '../../model/signing.ts';
import { silentLogger } from '../../observability/logger.ts';
import { createSigning } from '../../signing/index.ts';
import type { Io } from '../io.ts';
import { withStore } from '../opened.ts';
import { checkOffline, contentOf, holding, type KeysOption, withKeys } from '../signed.ts';

interface Common {
  readonly config: string;
  readonly json?: boolean;
}

interface ReceiptOptions extends Common {
  readonly record?: string;
  readonly all?: boolean;
}

export function addReceipts(add: (name: string, description: string) => Command, io: Io): void {
  add(
    'receipt <data-subject>',
    'signed receipts, one a line: of the newest event of each consent (exit 1: there is none)',
  )
    .option('--record <id>', 'of this consent record alone')
    .option('--all', 'of every event, the oldest first')
    .action((id: string, options: ReceiptOptions) => print(id, options, io));
  withKeys(
    add(
      'verify-receipt <file>',
      'check a receipt ("-": from stdin): signed here, and as the store has it (exit 1: it does not hold)',
    ),
  ).action((file: string, options: Common & KeysOption) => verify(file, options, io));
}

async function print(id: string, options: ReceiptOptions, io: Io): Promise<void> {
  await reading(options, io, async (records, signing) => {
    const wanted = withConsent(await records.history(id)).filter(
      ({ consent }) => options.record === undefined || consent.record_id === options.record,
    );
    const events = options.all ? wanted : newest(wanted);
    if (events.length === 0) {
      io.exitCode = 1;
      io.stderr.write(
        `sluice: ${id} has said nothing ${options.record === undefined ? '' : `under ${options.record} `}that a receipt could be given for\n`,
      );
      return;
    }
    const receipts = await Promise.all(
      events.map(async (event) => ({
        receipt: await signedReceipt(event, signing),
        payload: receiptOf(event),
      })),
    );
    if (options.json) io.stdout.write(`${JSON.stringify(receipts, null, 2)}\n`);
    else for (const { receipt } of receipts) io.stdout.write(`${receipt}\n`);
  });
}

const UNCHECKED =
  'whether the store has the event, and what has been said since then. Whoever gave the receipt can tell (sluice consent verify-receipt without --keys)';

async function verify(file: string, options: Common & KeysOption, io: Io): Promise<void> {
  const token = (await contentOf(file, io)).trim();
  const { keys } = options;
  if (keys !== undefined)
    return checkOffline(
      'consent-receipt',
      { name: 'receipt', unchecked: UNCHECKED },
      token,
      { ...options, keys },
      io,
    );
  await reading(options, io, async (records, signing) => {
    await holding('receipt', options, io, async () => {
      const { receipt, kid, since } = await checkReceipt(token, records, signing);
      if (options.json) {
        const later = since.map((event) => receiptOf(event));
        io.stdout.write(`${JSON.stringify({ holds: true, kid, payload: receipt, since: later }, null, 2)}\n`);
        return;
      }
      const { 'dpv:hasConsentStatus': status, 'dpv:hasPurpose': purpose } = receipt;
      io.stdout.write(
        `The receipt holds: event ${receipt['sluice:event']} of ${receipt['dpv:hasDataSubject']}, ${receipt['dct:date']}: ${spelled(status)} ${purpose} for ${receipt['dpv:hasRecipient']}: ${receipt['dpv:hasPersonalData'].join(', ')} [${receipt['dct:identifier']}]\n`,
      );
      for (const { version, at, consent } of since)
        io.stdout.write(
          `since then: event ${version}, ${at}: ${spelled(consent.status)} ${consent.purpose} for ${consent.recipient}: ${consent.categories.join(', ')}\n`,
        );
    });
  });
}

const spelled = (status: string): string => (status === 'dpv:ConsentGiven' ? 'given' : 'withdrawn');

/** Reads consents of the store, and needs no journal. */
const reading = (
  options: Common,
  io: Io,
  work: (records: Pick<ConsentRecords, 'history'>, signing: Signing) => Promise<void>,
): Promise<void> =>
  withStore(options, io, ({ consents, loaded: { config } }) =>
    work(consents(), createSigning(config.signing, { logger: silentLogger })),
  );
