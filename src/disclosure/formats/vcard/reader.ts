// vCard 3.0 and 4.0: a card is a record. A property is a list of objects, since it may occur more than once: `/TEL/*/value`, its parameters
// `/TEL/*/TYPE`, its group `/TEL/*/group`. N and ADR have components instead of a value: `/N/*/family`. Disclosed lines keep their folds; a
// property whose value is dropped is removed with its line.
import { SluiceError } from '../../../errors.ts';
import type { Scalar } from '../../../model/disclosure.ts';
import {
  cardFault,
  dataParameters,
  isBinary,
  isMark,
  lineEnd,
  type Property,
  propertyOf,
  textOf,
  valueSpans,
} from '../../../model/vcard.ts';
import type {
  BodyReader,
  Format,
  FormatSetup,
  Matcher,
  Output,
  Piece,
  RecordPiece,
  RecordScope,
  Rendering,
} from '../format.ts';
import { onlyOptions } from '../shared/options.ts';
import { decide, readTree, type TreeNode, type TreeRecord } from '../shared/tree.ts';
import { groupTree } from '../shared/tree-group.ts';
import { type Line, LineWriter } from './line.ts';
import { member } from '../shared/single-record.ts';

export const vcard: Format = {
  name: 'vcard',
  layout: 'rows',
  media: { types: ['text/vcard', 'text/x-vcard', 'text/directory'], charsetParameter: 'if_stated' },
  open(setup) {
    onlyOptions('vcard', setup.options, []);
    if (!/^(?:utf-?8|us-ascii|)$/i.test(setup.charset))
      throw new SluiceError(
        'response_charset_unknown',
        'A vCard is UTF-8 (RFC 6350 §3.1), but this one is labelled otherwise.',
      );
    return new CardReader(setup);
  },
};

const view = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);

class CardReader implements BodyReader {
  readonly #setup: FormatSetup;
  #bytes: Buffer = Buffer.alloc(0);
  /** properties of the open card; null: no card is open */
  #card: Property[] | null = null;

  constructor(setup: FormatSetup) {
    this.#setup = setup;
  }

  push(chunk: Uint8Array): readonly Piece[] {
    this.#bytes = this.#bytes.length === 0 ? view(chunk) : Buffer.concat([this.#bytes, chunk]);
    return this.#run(false);
  }

  end(): readonly Piece[] {
    const pieces = this.#run(true);
    if (this.#card !== null) throw malformed('is truncated');
    return pieces;
  }

  #run(final: boolean): readonly Piece[] {
    const pieces: Piece[] = [];
    const { record_bytes, record_members } = this.#setup.limits;
    const bytes = this.#bytes;
    // positions refer to these bytes, so that an open card is read again when more have arrived
    let at = 0;
    let begun = at;
    this.#card = null;
    for (let end = lineEnd(bytes, at, final); end >= 0; end = lineEnd(bytes, at, final)) {
      const start = at;
      at = end;
      if (this.#card === null && /^[ \t\r\n]*$/.test(bytes.toString('latin1', start, end))) {
        pieces.push({ kind: 'frame', render: (out) => out.bytes(bytes, start, end) });
        begun = end;
        continue;
      }
      const property = propertyOf(bytes, start, end);
      if (typeof property === 'string') throw malformed(property);
      if (this.#card === null) {
        if (!isMark(property, 'BEGIN')) throw malformed('has lines outside of cards');
        this.#card = [];
        begun = start;
      } else if (isMark(property, 'END')) {
        pieces.push(new Card(bytes, begun, end, this.#card, this.#setup.matcher));
        this.#card = null;
        begun = end;
      } else {
        this.#card.push(property);
        if (this.#card.length > record_members)
          throw tooLarge(`more than ${record_members} properties (limits.record_members)`);
      }
      if (end - begun > record_bytes) throw tooLarge(`more than ${record_bytes} bytes (limits.record)`);
    }
    if (bytes.length - begun > record_bytes)
      throw tooLarge(`more than ${record_bytes} bytes (limits.record)`);
    this.#bytes = bytes.subarray(begun);
    return pieces;
  }
}

class Card implements RecordPiece {
  readonly kind = 'record';
  readonly #bytes: Buffer;
  readonly #start: number;
  readonly #end: number;
  readonly #lines: readonly Line[];
  readonly #root: TreeNode;
  readonly #tree: TreeRecord;

  constructor(bytes: Buffer, start: number, end: number, properties: readonly Property[], matcher: Matcher) {
    const fault = cardFault(properties);
    if (fault !== null) throw malformed(fault);
    this.#bytes = bytes;
    this.#start = start;
    this.#end = end;
    const { lines, lists } = linesOf(properties, bytes);
    this.#lines = lines;
    this.#root = {
      names: [],
      children: lists,
      scalar: () => ({ kind: 'null', text: 'null' }),
      source: () => bytes.toString('utf8', start, end),
    };
    this.#tree = readTree(matcher, this.#root);
  }

  get size(): number {
    return this.#end - this.#start;
  }

  get scopes(): readonly RecordScope[] {
    return this.#tree.scopes;
  }

  group(rendering: Rendering): string {
    return groupTree(this.#root, this.#tree, rendering);
  }

  render(out: Output, rendering: Rendering | null): void {
    if (rendering === null) return;
    const decisions = decide(this.#root, this.#tree, rendering);
    let from = this.#start;
    for (const line of this.#lines) {
      const written = new LineWriter(this.#bytes, line, decisions).write();
      if (written === null) continue;
      out.bytes(this.#bytes, from, line.property.start);
      for (const bytes of written) out.bytes(bytes, 0, bytes.length);
      from = line.property.end;
    }
    out.bytes(this.#bytes, from, this.#end);
  }
}

function linesOf(
  properties: readonly Property[],
  bytes: Buffer,
): { lines: readonly Line[]; lists: readonly TreeNode[] } {
  const lists = new Map<string, List>();
  const lines = properties.flatMap((property): Line[] => {
    const { name } = property;
    if (name === 'VERSION') return [];
    const list = lists.get(name) ?? listOf(name);
    lists.set(name, list);
    const group = property.group === null ? null : member(['group'], property.group.name);
    const parameters = parametersOf(property);
    const values = valuesOf(property);
    const node: TreeNode = {
      names: [],
      index: list.items.length,
      children: [
        ...(group === null ? [] : [group]),
        ...parameters.map((p) => p.node),
        ...values.map((v) => v.node),
      ],
      scalar: none,
      source: () => bytes.toString('utf8', property.start, property.end),
    };
    list.items.push(node);
    return [{ property, node, list: list.node, group, parameters, values }];
  });
  return { lines, lists: [...lists.values()].map(({ node }) => node) };
}

interface List {
  readonly node: TreeNode;
  readonly items: TreeNode[];
}

function listOf(name: string): List {
  const items: TreeNode[] = [];
  const source = (): string => items.map((item) => item.source()).join('');
  return { items, node: { names: [name], children: items, array: true, scalar: none, source } };
}

const none = (): Scalar => ({ kind: 'null', text: 'null' });

const parametersOf = (property: Property): Line['parameters'] =>
  dataParameters(property).map(({ name, text }) => ({ name, node: member([name], text) }));

/** Binary data stays in one value that no treatment reads. */
const valuesOf = (property: Property): Line['values'] =>
  valueSpans(property).map(({ name, start, end }) => {
    const isOpaque = name === 'value' && isBinary(property);
    return { node: member([name], isOpaque ? null : textOf(property.line.subarray(start, end))), start, end };
  });

const malformed = (what: string): SluiceError => new SluiceError('response_malformed', `The vCard ${what}.`);
const tooLarge = (what: string): SluiceError => new SluiceError('record_too_large', `A card has ${what}.`);
