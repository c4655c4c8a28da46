/**
 * `multipart/form-data` (RFC 7578): one record with its parts as fields by name; the file name of a part is the field `@filename` below it. Of
 * the headers of a part, Content-Disposition and a plain Content-Type are kept.
 */
import { SluiceError } from '../../../errors.ts';
import { BOUNDARY, type PartPlace, partPlaces } from '../../../model/multipart.ts';
import { type Charset, charset, UTF8 } from '../shared/charsets.ts';
import type { Format, FormatSetup, Output } from '../format.ts';
import { onlyOptions } from '../shared/options.ts';
import { parseHeaders, type PartHeaders } from './headers.ts';
import type { Decision, TreeNode } from '../shared/tree.ts';
import { type Members, member, replacement, SingleRecordReader } from '../shared/single-record.ts';

const MAX_PARTS = 4096;

export const multipart: Format = {
  name: 'multipart',
  layout: 'single',
  media: { types: ['multipart/form-data'], charsetParameter: 'never', parameters: ['boundary'] },
  open(setup: FormatSetup) {
    onlyOptions('multipart', setup.options, ['boundary']);
    const { boundary } = setup.options;
    if (typeof boundary !== 'string' || !BOUNDARY.test(boundary))
      throw malformed('has no boundary in its Content-Type that RFC 2046 allows');
    return new SingleRecordReader(setup, (body) =>
      parse(Buffer.from(body.buffer, body.byteOffset, body.length), boundary),
    );
  },
};

interface Part extends PartPlace {
  readonly fields: PartHeaders;
  readonly charset: Charset;
  readonly node: TreeNode;
  readonly filename: TreeNode | null;
}

function parse(body: Buffer, boundary: string): Members {
  const { parts: places, close } = partPlaces(body, boundary, MAX_PARTS, malformed);
  const parts = places.map((place) => partOf(body, place));
  return {
    nodes: parts.map((p) => p.node),
    render: (out, decisions) => render(out, body, parts, close, `--${boundary}`, decisions),
  };
}

function partOf(body: Buffer, place: PartPlace): Part {
  const fields = parseHeaders(body, place.headers, place.content - 4);
  const named = fields.charset === null ? UTF8 : charset(fields.charset);
  const filename =
    fields.filename === null
      ? null
      : member(['@filename'], UTF8.decode(Buffer.from(fields.filename.raw, 'latin1')));
  return {
    ...place,
    fields,
    charset: named,
    filename,
    node: member(
      [fields.name],
      named.decode(body.subarray(place.content, place.end)),
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
    out.bytes(body, part.start, part.start + dashes.length + 2);
    const filename =
      part.filename === null
        ? 'drop'
        : (decisions.get(part.filename) ?? (decision === 'keep' ? 'keep' : 'drop'));
    for (const { start, end } of part.fields.kept) {
      const { filename: named } = part.fields;
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
    if (decision === 'keep') out.bytes(body, part.content, part.end);
    else if (content !== null) out.bytes(content, 0, content.length);
    out.text('\r\n');
  }
  out.bytes(body, close, body.length);
}

const malformed = (what: string): SluiceError =>
  new SluiceError('response_malformed', `The multipart form ${what}.`);
