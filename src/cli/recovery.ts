/** `sluice recovery`: keys that a backup is encrypted for, and shares of the key without which nobody finds a data subject in the log. */
import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { combine as combineShares, split } from 'shamir-secret-sharing';
import { newIdentity } from '../decision-log/age.ts';
import { dataSubjectHasher } from '../decision-log/data-subject.ts';
import { makeDirectory } from '../decision-log/journal/directory.ts';
import { generatedKey, keyBytes, noteSaved } from '../decision-log/secret.ts';
import { writeOnce } from '../documents/once.ts';
import { SluiceError } from '../errors.ts';
import { place, type SourceOptions } from './decisions/source.ts';
import type { Io } from './io.ts';
import { whole } from './options.ts';

export function command(io: Io): Command {
  const recovery = new Command('recovery').description(
    'Keys for the day on which a machine is lost: whom backups and archives are encrypted for, and shares of data_subject_key.',
  );
  recovery
    .command('identity')
    .description(
      'print a new key pair of age: the public key goes to decision_log.encryption.recipients, the rest away from the sidecar',
    )
    .action(async () => {
      const { identity, recipient } = await newIdentity();
      io.stdout.write(`# created: ${new Date().toISOString()}\n# public key: ${recipient}\n${identity}\n`);
    });
  recovery
    .command('share')
    .description(
      'split data_subject_key among people: any few of them restore it, and fewer learn nothing (Shamir)',
    )
    .option('-c, --config <file>', 'configuration (default: sluice.yaml, if it is here)')
    .option('--journal <dir>', 'directory of the journal with the generated key')
    .requiredOption('--of <n>', 'how many shares', whole(2, 255))
    .requiredOption('--need <k>', 'how many of them restore the key', whole(2, 255))
    .requiredOption('-o, --out <dir>', 'where the shares are written, a file each')
    .addHelpText(
      'after',
      '\nExample:\n  sluice recovery share --of 5 --need 3 --out shares\n\nGive each file to another person, and delete the directory.',
    )
    .action((options: ShareOptions) => share(options, io));
  recovery
    .command('combine <file...>')
    .description('restore the key from shares')
    .requiredOption(
      '-o, --out <file>',
      'a new file, mode 0600: data-subject.key in the directory of the journal',
    )
    .action((files: readonly string[], { out }: { readonly out: string }) => combine(files, out, io));
  return recovery;
}

interface ShareOptions extends Pick<SourceOptions, 'config' | 'journal'> {
  readonly of: number;
  readonly need: number;
  readonly out: string;
}

interface Share {
  /** of the key, as the HMACs in the log have it */
  readonly kid: string;
  readonly need: number;
  readonly number: number;
  readonly bytes: Uint8Array;
}

async function share({ of, need, out, ...options }: ShareOptions, io: Io): Promise<void> {
  if (need > of) throw new SluiceError('usage_invalid', `--need ${need}: there are only ${of} shares.`);
  const { config, dir } = await place(options, io);
  const key =
    config.data_subject_key === undefined
      ? generatedKey(dir)
      : keyBytes(config.data_subject_key, 'decision_log.data_subject_key');
  if (key === null)
    throw new SluiceError(
      'config_invalid',
      `${dir} holds no data-subject.key, and decision_log.data_subject_key names none.`,
    );
  const { kid } = dataSubjectHasher(key);
  const to = resolve(io.cwd, out);
  makeDirectory(to);
  for (const [i, bytes] of (await split(new Uint8Array(key), of, need)).entries()) {
    const path = join(to, `data-subject-key-${kid}-${i + 1}-of-${of}.share`);
    if (!writeOnce(path, spelled({ kid, need, number: i + 1, bytes })))
      throw new SluiceError(
        'input_invalid',
        `${path} exists. Name an empty directory: shares of two runs do not fit together.`,
      );
  }
  if (config.data_subject_key === undefined)
    noteSaved(dir, `${new Date().toISOString()} ${need} of ${of} shares`);
  io.stdout.write(
    `${of} shares of the key ${kid} are in ${out}; any ${need} restore it. Give each to another person, and delete them here.\n`,
  );
}

const BEGINNING = 'sluice-share-1';

function spelled({ kid, need, number, bytes }: Share): string {
  const text = `${BEGINNING} ${kid} ${need} ${number} ${Buffer.from(bytes).toString('base64url')}`;
  return `# Share ${number} of data_subject_key ${kid} of Sluice. Any ${need} make the key: sluice recovery combine\n${text} ${sumOf(text)}\n`;
}

const sumOf = (text: string): string => hash('sha256', text, 'hex').slice(0, 8);

function read(path: string): Share {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new SluiceError('input_invalid', {
      message: `${path} cannot be read (${(cause as NodeJS.ErrnoException).code ?? 'unknown error'}).`,
      cause,
    });
  }
  const line = text.split(/\r?\n/).find((l) => l.startsWith(BEGINNING)) ?? '';
  const [, body = '', kid = '', need, number, bytes = '', sum] =
    /^(sluice-share-1 ([0-9a-f]{8}) (\d{1,3}) (\d{1,3}) ([\w-]+)) ([0-9a-f]{8})\s*$/.exec(line) ?? [];
  if (sum === undefined || sumOf(body) !== sum)
    throw new SluiceError(
      'input_invalid',
      `${path} is not a share as it was written: compare it with the paper, letter by letter.`,
    );
  return {
    kid,
    need: Number(need),
    number: Number(number),
    bytes: new Uint8Array(Buffer.from(bytes, 'base64url')),
  };
}

async function combine(files: readonly string[], out: string, io: Io): Promise<void> {
  const shares = [
    ...new Map(files.map((file) => read(resolve(io.cwd, file))).map((s) => [s.number, s])).values(),
  ];
  const { kid, need } = shares[0]!;
  if (shares.some((s) => s.kid !== kid || s.need !== need))
    throw new SluiceError('input_invalid', 'These are shares of different keys, or of different runs.');
  if (shares.length < need)
    throw new SluiceError(
      'input_invalid',
      `${need} different shares are needed, and ${shares.length} were given.`,
    );
  const key = Buffer.from(await combineShares(shares.map(({ bytes }) => bytes)));
  if (dataSubjectHasher(key).kid !== kid)
    throw new SluiceError('input_invalid', 'These shares do not make the key: they are of different runs.');
  const path = resolve(io.cwd, out);
  if (!writeOnce(path, `${key.toString()}\n`))
    throw new SluiceError('input_invalid', `${path} exists, and is left as it is.`);
  io.stdout.write(`The key ${kid} is in ${out}.\n`);
}
