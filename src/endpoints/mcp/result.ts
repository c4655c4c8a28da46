/**
 * Results of tools and resources. What is disclosed of a result is its JSON: `structuredContent`, or else the texts that are JSON. The texts of the
 * answer are written from what was disclosed, so that no two places of it differ. Everything else is text, pictures and links that no catalog
 * describes, and is left out.
 */
import { SluiceError } from '../../errors.ts';
import { tokensOf } from '../../model/pointer.ts';
import type { Answer } from './answer.ts';
import { isMembers, type Members, membersOf, readText, sliceOf } from './message.ts';

export interface Found {
  /** the JSON to disclose; null: there is none */
  readonly body: Uint8Array | null;
  /** it is a list of the texts */
  readonly several: boolean;
  /** it was `structuredContent` */
  readonly structured: boolean;
  /** the tool says that it failed */
  readonly failed: boolean;
  /** pointer of the field that the body is alone: a text that is no JSON; null: it is JSON of the server */
  readonly field: string | null;
  /** kind of what is left out → how often */
  readonly left: Readonly<Record<string, number>>;
}

const malformed = (why: string): SluiceError =>
  new SluiceError('response_malformed', `The MCP server's result ${why}. It is not passed on.`);

/** @param list member with the blocks: `content` of a tool, `contents` of a resource */
export function findIn(
  { text, result, value }: Answer,
  list: 'content' | 'contents',
  field: string | null = null,
): Found {
  const { resultType = 'complete' } = value;
  if (resultType !== 'complete')
    throw malformed('asks the client for more (sampling, elicitation, roots), which Sluice does not pass on');
  const blocks = value[list] ?? [];
  if (!Array.isArray(blocks)) throw malformed(`has no list of ${list}`);
  const failed = value['isError'] === true;
  if (!failed && value['isError'] !== undefined && value['isError'] !== false)
    throw malformed('has an isError that is neither true nor false');
  const left: Record<string, number> = {};
  const leave = (kind: string): void => {
    left[kind] = (left[kind] ?? 0) + 1;
  };
  const structured = list === 'content' ? membersOf(text, result.from).get('structuredContent') : undefined;
  const isStructured = structured !== undefined && '{['.includes(text[structured.from]!);
  const texts: string[] = [];
  const words: string[] = [];
  for (const block of blocks as unknown[]) {
    const said = isMembers(block) ? textOf(block, list) : null;
    if (said === null) leave(kindOf(block, list));
    else if (failed || isStructured) continue;
    else if (isJson(said)) texts.push(said);
    else words.push(said);
  }
  const asField = field !== null && words.length > 0 && texts.length === 0;
  if (!asField) for (const _ of words) leave('text');
  const found = { failed, left, several: false, structured: isStructured, field: asField ? field : null };
  if (asField) return { ...found, body: Buffer.from(recordOf(field, words.join('\n').toWellFormed())) };
  if (failed) return { ...found, body: null };
  if (isStructured) return { ...found, body: Buffer.from(sliceOf(text, structured)) };
  if (texts.length === 0) return { ...found, body: null };
  if (texts.length === 1) return { ...found, body: Buffer.from(texts[0]!) };
  return { ...found, body: Buffer.from(`[${texts.join(',')}]`), several: true };
}

/** A record with one field. */
const recordOf = (field: string, said: string): string =>
  tokensOf(field).reduceRight((inner, name) => `{${JSON.stringify(name)}:${inner}}`, JSON.stringify(said));

/** What is left of the field. */
function fieldOf(disclosed: string, field: string): string | null {
  let at: unknown = JSON.parse(disclosed);
  for (const name of tokensOf(field)) at = isMembers(at) ? at[name] : undefined;
  return typeof at === 'string' ? at : null;
}

const textOf = (block: Members, list: string): string | null =>
  typeof block['text'] === 'string' && (list === 'contents' || block['type'] === 'text')
    ? block['text']
    : null;

/** The kinds that MCP has; another name is the server's text. */
const KINDS: ReadonlySet<unknown> = new Set(['image', 'audio', 'resource', 'resource_link']);

function kindOf(block: unknown, list: string): string {
  if (!isMembers(block)) return 'unknown';
  if (list === 'contents') return 'blob' in block ? 'blob' : 'unknown';
  return KINDS.has(block['type']) ? String(block['type']) : 'unknown';
}

/** @throws SluiceError for JSON that readers read differently */
function isJson(text: string): boolean {
  if (!/^\s*[[{]/.test(text) || !text.isWellFormed()) return false;
  const read = readText(Buffer.from(text));
  if (!('fault' in read)) return true;
  if (read.fault === 'is not JSON') return false;
  throw malformed(`has a text that ${read.fault}`);
}

/** What was left out, for the record; null: nothing was. */
export const leftOut = ({ left }: Found): string | null =>
  Object.keys(left).length === 0
    ? null
    : `Left out of the result: ${Object.entries(left)
        .map(([kind, count]) => `${count} ${kind}`)
        .join(', ')}.`;

/** The disclosed texts, of which there were several. */
function textsOf(disclosed: string, { several }: Found): readonly string[] {
  if (!several || !disclosed.trimStart().startsWith('[')) return [disclosed];
  return [...membersOf(disclosed).values()].map((slice) => sliceOf(disclosed, slice));
}

const block = (text: string): string => `{"type":"text","text":${JSON.stringify(text)}}`;

/** @param disclosed null: nothing is. @param meta as JSON */
export function toolResult(found: Found, disclosed: string | null, meta: string): string {
  if (found.failed) return `{"content":[${block(FAILED)}],"isError":true,"_meta":${meta}}`;
  if (disclosed === null) return `{"content":[${block(NOTHING)}],"_meta":${meta}}`;
  if (found.field !== null)
    return `{"content":[${block(fieldOf(disclosed, found.field) ?? NOTHING)}],"_meta":${meta}}`;
  const content = textsOf(disclosed, found).map(block).join(',');
  const structured = found.structured ? `,"structuredContent":${disclosed}` : '';
  return `{"content":[${content}]${structured},"_meta":${meta}}`;
}

const FAILED = 'The tool reported an error. What it said is not passed on.';
const NOTHING = 'The tool has answered. Its answer has no fields that could be passed on.';

export function resourceResult(found: Found, disclosed: string | null, uri: string, meta: string): string {
  const contents = (disclosed === null ? [] : textsOf(disclosed, found)).map(
    (text) => `{"uri":${JSON.stringify(uri)},"mimeType":"application/json","text":${JSON.stringify(text)}}`,
  );
  return `{"contents":[${contents.join(',')}],"_meta":${meta}}`;
}
