/** A record of a JSON body: its bytes, its index, and what the index says about whose data it is. */
import { SluiceError } from '../../errors.ts';
import type { Scalar } from '../../model/disclosure.ts';
import type { Matcher, Output, RecordPiece, RecordScope, Rendering } from './format.ts';
import { type JsonIndex, NUMBER, STRIDE } from './json-index.ts';
import type { JsonRenderer } from './json-render.ts';
import type { JsonScanner } from './json-scan.ts';
import { scalarAt } from './json-text.ts';
import { plain, setAttribute } from './tree.ts';

/** Writes what stands before a record (separator, white space, key) and keeps count for the next one. */
export interface Lead {
  write(out: Output): void;
  /** what stands in place of a withheld record; nothing where it leaves no hole */
  readonly empty: string;
}

/** What the records of one body share. */
export interface JsonSession {
  readonly matcher: Matcher;
  readonly scanner: JsonScanner;
  readonly renderer: JsonRenderer;
}

export class JsonRecord implements RecordPiece {
  readonly kind = 'record';
  readonly size: number;
  readonly scopes: readonly RecordScope[];
  readonly #session: JsonSession;
  readonly #source: Buffer;
  readonly #index: JsonIndex;
  readonly #lead: Lead;
  readonly #tail: number;

  /** @param tail bytes after the value that go with it (the line end of NDJSON) */
  constructor(
    session: JsonSession,
    source: Buffer,
    index: JsonIndex,
    size: number,
    lead: Lead,
    tail: number,
  ) {
    this.#session = session;
    this.#source = source;
    this.#index = index;
    this.#lead = lead;
    this.#tail = tail;
    this.size = size;
    this.scopes = scopesOf(session.matcher, source, index);
  }

  render(out: Output, rendering: Rendering | null): void {
    if (rendering === null) {
      if (this.#lead.empty !== '') out.text(this.#lead.empty);
      return;
    }
    this.#lead.write(out);
    const index = this.#indexFor(rendering.matcher);
    this.#session.renderer.render(this.#source, index, rendering, (start) => this.#scopeAt(start), out);
    if (this.#tail > 0) {
      const end = endOf(this.#index);
      out.bytes(this.#source, end, end + this.#tail);
    }
  }

  group(rendering: Rendering): string {
    return this.#session.renderer.group(this.#source, this.#indexFor(rendering.matcher), rendering);
  }

  #indexFor(matcher: Matcher): JsonIndex {
    if (matcher === this.#session.matcher) return this.#index;
    const start = this.#index.entries[2]!;
    const end = endOf(this.#index);
    // it was valid before; depth was checked then
    const { scanner } = this.#session;
    if (scanner.scan(this.#source, start, end, matcher, matcher.root, 0, true) !== end) {
      throw new SluiceError('internal', 'a record that was valid could not be read a second time');
    }
    return scanner.keep();
  }

  #scopeAt(start: number): number {
    const { entries, scopes } = this.#index;
    for (let n = 0; n < scopes.length; n++) if (entries[scopes[n]! * STRIDE + 2] === start) return n + 1;
    return -1;
  }
}

export function endOf({ entries }: JsonIndex): number {
  const end = entries[3]!;
  return entries.length > STRIDE ? entries[end * STRIDE + 3]! : end;
}

function scopesOf(matcher: Matcher, source: Buffer, index: JsonIndex): readonly RecordScope[] {
  const { entries, scopes, marks } = index;
  const subjects: string[][] = [[]];
  const attributes: Map<string, Scalar>[] = [new Map()];
  for (let n = 0; n < scopes.length; n++) {
    subjects.push([]);
    attributes.push(new Map());
  }
  for (const mark of marks) {
    const o = mark * STRIDE;
    const kind = entries[o]! & 0xff;
    const value = scalarAt(source, kind, entries[o + 2]!, entries[o + 3]!);
    const chain = chainOf(mark, index);
    for (const { up, subject, attributes: names } of matcher.marks(entries[o]! >> 8)) {
      const scope = chain[chain.length - 1 - up];
      if (scope === undefined) continue;
      if (subject && kind <= NUMBER && !subjects[scope]!.includes(value.text))
        subjects[scope]!.push(value.text);
      for (const name of names) setAttribute(attributes[scope]!, name, value);
    }
  }
  return subjects.map((ids, n) => ({
    scope: n === 0 ? -1 : matcher.scope(entries[scopes[n - 1]! * STRIDE]! >> 8),
    subjects: ids,
    attributes: attributesOf(attributes[n]!),
  }));
}

const NONE: RecordScope['attributes'] = Object.freeze({});

function attributesOf(values: Map<string, Scalar>): RecordScope['attributes'] {
  if (values.size === 0) return NONE;
  return Object.fromEntries([...values].map(([name, value]) => [name, plain(value)]));
}

/** the scopes around an entry, from the record itself inwards */
function chainOf(entry: number, { entries, scopes }: JsonIndex): number[] {
  const chain = [0];
  for (let n = 0; n < scopes.length; n++) {
    const open = scopes[n]!;
    if (open < entry && entry < entries[open * STRIDE + 3]!) chain.push(n + 1);
  }
  return chain;
}
