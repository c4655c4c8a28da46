/** `sluice erasure certificate` and `verify-certificate`. */
import type { Command } from 'commander';
import { certificateOf, checkCertificate, holdsOf, signedCertificate } from '../../erasure/index.ts';
import { silentLogger } from '../../observability/logger.ts';
import { createSigning } from '../../signing/index.ts';
import type { Io } from '../io.ts';
import { withStore } from '../opened.ts';
import { checkOffline, contentOf, holding, type KeysOption, withKeys } from '../signed.ts';

interface Common {
  readonly config: string;
  readonly json?: boolean;
}

const UNCHECKED =
  'whether the store has the completion, and whether what was held has been deleted since. Whoever gave the certificate can tell (sluice erasure verify-certificate without --keys)';

export function addCertificates(add: (name: string, description: string) => Command, io: Io): void {
  add('certificate <request>', 'the signed certificate of an erasure that is completed, or partly').action(
    (id: string, options: Common) =>
      withStore(options, io, async ({ erasure, loaded: { config } }) => {
        const signing = createSigning(config.signing, { logger: silentLogger });
        const { request } = await erasure().show(id);
        const certificate = await signedCertificate(request, signing);
        if (options.json)
          io.stdout.write(`${JSON.stringify({ certificate, payload: certificateOf(request) }, null, 2)}\n`);
        else io.stdout.write(`${certificate}\n`);
      }),
  );
  withKeys(
    add(
      'verify-certificate <file>',
      'check a certificate ("-": from stdin): signed here, and as the store has it (exit 1: it does not hold)',
    ),
  ).action(async (file: string, options: Common & KeysOption) => {
    const token = (await contentOf(file, io)).trim();
    const { keys } = options;
    if (keys !== undefined)
      return checkOffline(
        'erasure-certificate',
        { name: 'certificate', unchecked: UNCHECKED },
        token,
        { ...options, keys },
        io,
      );
    await withStore(options, io, ({ erasure, loaded: { config } }) =>
      holding('certificate', options, io, async () => {
        const signing = createSigning(config.signing, { logger: silentLogger });
        const { certificate, kid, now } = await checkCertificate(token, erasure(), signing);
        if (options.json) {
          const found = { holds: true, kid, payload: certificate, state_now: now.state };
          io.stdout.write(`${JSON.stringify(found, null, 2)}\n`);
          return;
        }
        const { data_subject, state, closed_at, held } = certificate;
        const kept = held.map(({ category, until }) => `${category} until ${until}`).join(', ');
        io.stdout.write(
          `The certificate holds: the erasure of ${data_subject} is ${state} since ${closed_at}${kept === '' ? '' : `; held: ${kept}`}\n`,
        );
        if (now.state !== state)
          io.stdout.write(
            now.state === 'lifted'
              ? `since then: lifted, ${now.data_subject} is a customer again\n`
              : `since then: ${now.state} on ${new Date(now.closed_at!).toISOString()}${holdsOf(now).length === 0 ? ', nothing is held any more' : ''}\n`,
          );
      }),
    );
  });
}
