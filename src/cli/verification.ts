/** `sluice verification`: proof that a caller deals with a data subject. */
import { Command } from 'commander';
import type { Io } from './io.ts';
import { withStore } from './opened.ts';
import { by } from './options.ts';

interface SendOptions {
  readonly config: string;
  readonly dataSubject: string;
  readonly caller: string;
  readonly by?: string;
  readonly json?: boolean;
}

export function command(io: Io): Command {
  const verification = new Command('verification').description(
    'Proof that a caller deals with a data subject (docs/verification.md).',
  );
  by(
    verification
      .command('send')
      .description('send the data subject a one-time code, which the caller brings in the header Sluice-Code')
      .requiredOption('--data-subject <id>', 'who gets the code')
      .requiredOption('--caller <id>', 'who may use it (`sub` of its token)'),
    'the caller',
  )
    .option('-c, --config <file>', 'configuration', 'sluice.yaml')
    .option('--json', 'print as JSON')
    .action((options: SendOptions) => send(options, io));
  verification.addHelpText(
    'after',
    '\nExample:\n  sluice verification send --data-subject C100001 --caller u-17\n\nThe code itself is printed nowhere and kept nowhere: verification.code names the system that sends it.',
  );
  return verification;
}

async function send({ dataSubject, caller, by: who, ...options }: SendOptions, io: Io): Promise<void> {
  await withStore(options, io, async ({ verifications, recorder }) => {
    const recording = recorder(who ?? caller);
    const expires = await verifications().send({ caller, data_subject: dataSubject.trim() }, recording);
    const text =
      options.json === true
        ? JSON.stringify({ decision_id: recording.decision_id, caller, expires: expires.toISOString() })
        : `sent, for ${caller} until ${expires.toISOString()}`;
    io.stdout.write(`${text}\n`);
  });
}
