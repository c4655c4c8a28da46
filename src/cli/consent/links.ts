/** `sluice consent link`: a link for a customer, to the page on which they see and change what they have agreed to. */
import type { Command } from 'commander';
import { linkUrl } from '../../changes/links.ts';
import type { Io } from '../io.ts';
import { withStore } from '../opened.ts';

interface LinkOptions {
  readonly config: string;
  readonly json?: boolean;
  readonly by?: string;
  readonly revoke?: boolean;
}

export function addLinks(changing: (name: string, description: string) => Command, io: Io): void {
  changing(
    'link <data-subject>',
    'print a link for this person, which opens their own page; it is shown once',
  )
    .option('--revoke', 'end all links of this person, and what they have opened (exit 1: there is none)')
    .action((id: string, options: LinkOptions) => (options.revoke ? revoke : create)(id, options, io));
}

async function create(id: string, options: LinkOptions, io: Io): Promise<void> {
  await withStore(options, io, async ({ links, recorder }) => {
    const page = links();
    const { row, token } = await page.create(id, recorder(options.by));
    const url = linkUrl(page.url, token);
    const expires_at = new Date(row.expires_at).toISOString();
    if (options.json) io.stdout.write(`${JSON.stringify({ url, id: row.id, expires_at }, null, 2)}\n`);
    else {
      io.stdout.write(`${url}\n`);
      io.stderr.write(
        `Whoever has this link is taken to be ${id}, until ${expires_at}. Send it to an address that is known to be theirs.\n`,
      );
    }
  });
}

async function revoke(id: string, options: LinkOptions, io: Io): Promise<void> {
  await withStore(options, io, async ({ links, recorder }) => {
    const rows = await links().revoke(id, recorder(options.by));
    if (rows.length === 0) io.exitCode = 1;
    if (options.json) io.stdout.write(`${JSON.stringify({ revoked: rows.map((row) => row.id) }, null, 2)}\n`);
    else io.stdout.write(rows.length === 0 ? `${id} has no link in force.\n` : `${rows.length} revoked.\n`);
  });
}
