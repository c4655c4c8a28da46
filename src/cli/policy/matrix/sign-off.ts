/** The part of a review sheet that is signed: the compared contents, the author, and the reviewer. */
import { SluiceError } from '../../../errors.ts';
import { contentDigest } from '../../../policy/bundle/approval.ts';
import type { LivePolicy } from '../../../policy/snapshot/index.ts';

export interface SignOff {
  readonly before: SheetPolicy;
  readonly after: SheetPolicy;
  /** null: an empty line for a signature */
  readonly author: string | null;
  readonly reviewer: string | null;
}

export interface SheetPolicy {
  readonly policy: string;
  readonly revision: string;
  /** what `sluice approve` signs */
  readonly digest: string;
}

export const sheetPolicy = (policy: string, { source }: LivePolicy): SheetPolicy => ({
  policy,
  revision: source.revision,
  digest: contentDigest(source),
});

/** @throws SluiceError `usage_invalid` */
export function signOffOf(
  [before, after]: readonly [SheetPolicy, SheetPolicy],
  names: { readonly author?: string; readonly reviewer?: string },
): SignOff {
  const { author = null, reviewer = null }: { author?: string | null; reviewer?: string | null } = names;
  if (author !== null && author.trim().toLowerCase() === reviewer?.trim().toLowerCase())
    throw new SluiceError(
      'usage_invalid',
      'The author of a change does not review it: name another reviewer.',
    );
  return { before, after, author, reviewer };
}

/** @param escaped makes text safe in HTML */
export function signOffHtml(
  { before, after, author, reviewer }: SignOff,
  escaped: (text: string) => string,
): string {
  const row = (name: string, of: (p: SheetPolicy) => string): string =>
    `<tr><th>${name}</th><td>${of(before)}</td><td>${of(after)}</td></tr>`;
  const code = (text: string): string => `<code>${escaped(text)}</code>`;
  const line = (name: string, value: string | null): string =>
    `<tr><th>${name}</th><td>${value === null ? '&nbsp;' : escaped(value)}</td></tr>`;
  return `<h2>Sign-off</h2>
<table><thead><tr><th></th><th>before</th><th>after</th></tr></thead><tbody>
${row('policy', (p) => escaped(p.policy))}
${row('revision', (p) => code(p.revision))}
${row('content', (p) => code(p.digest))}
</tbody></table>
<table class="sign"><tbody>
${line('author', author)}
${line('reviewer', reviewer)}
${line('approved, or why not', null)}
${line('date', null)}
${line('signature', null)}
</tbody></table>
<p>This sheet is about the content on the right and no other. To let it go live (<code>policy.require_approval</code>):</p>
<p>${code(`sluice approve ${shell(after.policy)} --digest ${after.digest} --reviewer ${shell(reviewer ?? '…')}${author === null ? '' : ` --author ${shell(author)}`} --key … --key-id …`)}</p>`;
}

const shell = (text: string): string =>
  /^[\w./…-]+$/u.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
