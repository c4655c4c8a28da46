/**
 * `multipart/form-data` (RFC 7578): one record whose parts are fields by name, a part's file name the field `@filename` below it.
 * Boundaries are read strictly (RFC 2046 §5.1.1), since whoever finds another boundary finds other parts: nothing may stand before
 * the first or after the last, and lines end in CRLF. Of a part's headers Content-Disposition and a plain Content-Type stay.
 */
import { SluiceError } from '../../errors.ts';
import { type Charset, charset, UTF8 } from '../charsets.ts';
import type { Format, FormatSetup, Output } from './format.ts';
import { onlyOptions } from './options.ts';
import { parseHeaders, type PartHeaders } from './multipart-headers.ts';
import type { Decision, TreeNode } from './tree.ts';
import { type Members, member, replacement, WholeReader } from './whole.ts';

/** RFC 2046 §5.1.1 `boundary` */
const BOUNDARY = /^[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]$/;
const MAX_PARTS = 4096;

export const multipart: Format = {
  name: 'multipart',
  open(setup: FormatSetup) {
    onlyOptions('multipart', setup.options, ['boundary']);
    const { boundary } = setup.options;
    if (typeof boundary !== 'string' || !BOUNDARY.test(boundary))
      throw malformed('names no boundary in its Content-Type, or none that RFC 2046 allows');
    return new WholeReader(setup, (body) =>
      parse(Buffer.from(body.buffer, body.byteOffset, body.length), boundary),
    );
  },
};

interface Part {
  /** of its delimiter line */
  readonly start: number;
  readonly headers: PartHeaders;
  readonly body: number;
  /** of its content; the CRLF behind belongs to the next delimiter */
  readonly end: number;
  readonly charset: Charset;
  readonly node: TreeNode;
  readonly filename: TreeNode | null;
}

function parse(body: Buffer, boundary: string): Members {
  const dashes = `--${boundary}`;
  if (!body.subarray(0, dashes.length).equals(Buffer.from(dashes, 'latin1')))
    throw malformed('does not begin with its boundary');
  const parts: Part[] = [];
  let at = 0;
  for (;;) {
    const line = at + dashes.length;
    const after = body.toString('latin1', line, line + 2);
    if (after === '--') {
      const rest = body.length - line - 2;
      if (rest !== 0 && (rest !== 2 || body.toString('latin1', line + 2) !== '\r\n'))
        throw malformed('goes on behind its last boundary');
      return {
        nodes: parts.map((p) => p.node),
        render: (out, decisions) => render(out, body, parts, at, dashes, decisions),
      };
    }
    if (after !== '\r\n') throw malformed('has a line that only begins like its boundary');
    if (parts.length === MAX_PARTS) throw malformed(`has more than ${MAX_PARTS} parts`);
    const next = body.indexOf(`\r\n${dashes}`, line, 'latin1');
    if (next < 0) throw malformed('is cut short');
    if (behindBareLineEnd(body, dashes, line, next))
      throw malformed('has a boundary behind a line end other than CRLF');
    parts.push(partOf(body, at, line + 2, next));
    at = next + 2;
  }
}

/** Go, PHP and readers of mail take such a line for a boundary, busboy and RFC 2046 do not. */
function behindBareLineEnd(body: Buffer, dashes: string, from: number, to: number): boolean {
  for (let at = body.indexOf(dashes, from, 'latin1'); at >= 0 && at < to; ) {
    if (body[at - 1] === 0x0a || body[at - 1] === 0x0d) return true;
    at = body.indexOf(dashes, at + 1, 'latin1');
  }
  return false;
}

function partOf(body: Buffer, start: number, from: number, end: number): Part {
  // the empty line may be the one that the next boundary begins with: a part without content
  const blank = body.subarray(from - 2, end + 2).indexOf('\r\n\r\n', 0, 'latin1');
  if (blank < 0) throw malformed('has a part without the empty line behind its headers');
  const headers = parseHeaders(body, from, from - 2 + blank);
  const content = from - 2 + blank + 4;
  if (content > end) throw malformed('has a part without the empty line behind its headers');
  const named = headers.charset === null ? UTF8 : charset(headers.charset);
  const filename =
    headers.filename === null
      ? null
      : member(['@filename'], UTF8.decode(Buffer.from(headers.filename.raw, 'latin1')));
  return {
    start,
    headers,
    body: content,
    end,
    charset: named,
    filename,
    node: member(
      [headers.name],
      named.decode(body.subarray(content, end)),
      filename === null ? [] : [filename],
    ),
  };
}

function render(
  out: Output,
  body: Buffer,
  parts: readonly Part[],
  close: number,
  dashes: string,
  decisions: ReadonlyMap<TreeNode, Decision>,
): void {
  for (const part of parts) {
    const decision = decisions.get(part.node) ?? 'drop';
    if (decision === 'drop') continue;
    const text = replacement(decision);
    const content = text === null ? null : part.charset.encode(text);
    // a replacement that holds the boundary would end the part early
    if (content?.includes(dashes)) continue;
    const { headers } = part;
    out.bytes(body, part.start, part.start + dashes.length + 2);
    const filename =
      part.filename === null
        ? 'drop'
        : (decisions.get(part.filename) ?? (decision === 'keep' ? 'keep' : 'drop'));
    for (const { start, end } of headers.kept) {
      const { filename: named } = headers;
      if (named === null || filename === 'keep' || named.start < start || named.start >= end)
        out.bytes(body, start, end);
      else {
        out.bytes(body, start, named.start);
        const name = replacement(filename);
        if (name !== null && !/["\\\r\n]/.test(name)) out.text(`; filename="${name}"`);
        out.bytes(body, named.end, end);
      }
    }
    out.text('\r\n');
    if (decision === 'keep') out.bytes(body, part.body, part.end);
    else if (content !== null) out.bytes(content, 0, content.length);
    out.text('\r\n');
  }
  out.bytes(body, close, body.length);
}

const malformed = (what: string): SluiceError =>
  new SluiceError('response_malformed', `The multipart form ${what}.`);
