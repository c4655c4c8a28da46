/** A record of a JSON body: its bytes, its index, and its scopes. */
import { SluiceError } from '../../../errors.ts';
import type { Matcher, Output, RecordPiece, RecordScope, Rendering } from '../format.ts';
import { type JsonPage, OPEN_ARRAY } from './entries.ts';
import type { JsonRenderer } from './render.ts';
import { DEEPEST, type JsonScanner } from './scan.ts';
import { scalarAt, textAt } from './text.ts';
import { ScopeBuilder } from '../shared/scope.ts';

/** Writes the separator, white space and key before a record. */
export interface Lead {
  write(out: Output): void;
  /** writes the replacement of a withheld record, usually nothing */
  withhold(out: Output): void;
}

/** Shared by the records of one body. */
export interface JsonSession {
  readonly matcher: Matcher;
  readonly scanner: JsonScanner;
  readonly renderer: JsonRenderer;
  /** `DisclosureLimits.record_members`; applied to embedded resources, data-subject ids and attributes, since other values are cheap */
  readonly most: number;
}

/** The position of a record. */
export interface Extent {
  readonly start: number;
  readonly end: number;
  /** bytes held for it */
  readonly size: number;
  /** the name of its member; null: it is an element, a line or the body */
  readonly name: string | null;
}

export class JsonRecord implements RecordPiece {
  readonly kind = 'record';
  readonly size: number;
  readonly scopes: readonly RecordScope[];
  readonly #session: JsonSession;
  readonly #source: Buffer;
  readonly #page: JsonPage;
  readonly #first: number;
  /** offsets of embedded resources */
  readonly #begins: readonly number[];
  readonly #lead: Lead;
  readonly #start: number;
  readonly #end: number;
  readonly #tail: number;
  readonly #name: string | null;

  /**
   * Takes the record that was scanned last.
   * @param tail number of bytes after the value that belong to the record (the line end of NDJSON)
   */
  constructor(
    session: JsonSession,
    source: Buffer,
    { start, end, size, name }: Extent,
    lead: Lead,
    tail: number,
  ) {
    const { scanner } = session;
    this.#session = session;
    this.#source = source;
    this.#page = scanner.page;
    this.#first = scanner.firstEntry;
    this.#lead = lead;
    this.#start = start;
    this.#end = end;
    this.#tail = tail;
    this.#name = name;
    this.size = size;
    this.#begins = scanner.scopeCount === scanner.firstScope ? NONE : beginsOf(scanner);
    const { firstMark, markCount } = scanner;
    const asked = scanner.scopeCount - scanner.firstScope + markCount - firstMark;
    if (asked > session.most)
      throw new SluiceError(
        'record_too_large',
        `A record has more than ${session.most} embedded resources, ids of data subjects and attributes (limits.record_members).`,
      );
    if (session.matcher.embedsByKey) refuseLists(session.matcher, scanner);
    this.scopes = scopesOf(session.matcher, source, scanner, { firstMark, markCount, name });
  }

  render(out: Output, rendering: Rendering | null): void {
    if (rendering === null) {
      this.#lead.withhold(out);
      return;
    }
    this.#lead.write(out);
    const { renderer, matcher } = this.#session;
    if (rendering.matcher === matcher) renderer.render(this.#page, this.#first, this.#begins, rendering, out);
    else {
      const page = this.#rescan(rendering.matcher);
      renderer.render(page, 0, this.#begins, rendering, out);
      this.#session.scanner.release(page);
    }
    if (this.#tail > 0) out.bytes(this.#source, this.#end, this.#end + this.#tail);
  }

  group(rendering: Rendering): string {
    const { renderer, matcher } = this.#session;
    if (rendering.matcher === matcher)
      return renderer.group(this.#page, this.#first, this.#begins, rendering);
    const page = this.#rescan(rendering.matcher);
    const group = renderer.group(page, 0, this.#begins, rendering);
    this.#session.scanner.release(page);
    return group;
  }

  /** Scans the record again with a matcher that knows more paths. */
  #rescan(matcher: Matcher): JsonPage {
    const { scanner } = this.#session;
    scanner.begin(matcher, this.#source, this.#start, this.#end);
    if (scanner.scan(this.#start, this.#end, matcher.begin(this.#name), 0, DEEPEST, true) !== this.#end)
      throw new SluiceError('internal', 'a record that was valid could not be read a second time');
    scanner.take();
    return scanner.page;
  }
}

/** Refuses a list in the place of an embedded resource that is named by its member: the list and the name would be kept without elements. */
function refuseLists(matcher: Matcher, scanner: JsonScanner): void {
  for (let n = scanner.firstEntry; n < scanner.entryCount; n++) {
    const tag = scanner.word(n, 0);
    if ((tag & 0xff) !== OPEN_ARRAY) continue;
    const scope = matcher.scope(tag >> 8);
    if (scope >= 0 && matcher.key(scope) !== null)
      throw new SluiceError(
        'response_malformed',
        'A list is in the place of a map of records by data subject. Nothing of the record was disclosed.',
      );
  }
}

const NONE: readonly number[] = [];

function beginsOf(scanner: JsonScanner): number[] {
  const begins: number[] = [];
  for (let n = scanner.firstScope; n < scanner.scopeCount; n++)
    begins.push(scanner.word(scanner.scope(n), 2));
  return begins;
}

function scopesOf(
  matcher: Matcher,
  source: Buffer,
  scanner: JsonScanner,
  { firstMark, markCount, name }: Marked,
): readonly RecordScope[] {
  const { firstScope, scopeCount } = scanner;
  const outermost = new ScopeBuilder(-1);
  const scopes = [outermost];
  const ownKey = name === null ? null : matcher.key(0);
  if (name !== null && ownKey !== null) outermost.addKey(ownKey.mark, name);
  for (let n = firstScope; n < scopeCount; n++) {
    const entry = scanner.scope(n);
    const id = matcher.scope(scanner.word(entry, 0) >> 8);
    const scope = new ScopeBuilder(id);
    scopes.push(scope);
    const key = matcher.key(id);
    if (key === null) continue;
    const own = matcher.isRecord(id)
      ? name
      : memberName(source, scanner.word(entry, 1), scanner.word(entry, 2));
    if (own !== null) scope.addKey(key.mark, own);
  }
  const chain = firstScope === scopeCount ? null : new Chain(scanner);
  for (let n = firstMark; n < markCount; n++) {
    const entry = scanner.mark(n);
    const tag = scanner.word(entry, 0);
    const kind = tag & 0xff;
    const value = scalarAt(source, kind, scanner.word(entry, 2), scanner.word(entry, 3));
    const around = chain === null ? OUTERMOST : chain.at(entry);
    for (const mark of matcher.marks(tag >> 8))
      scopes[around[around.length - 1 - mark.up] ?? -1]?.add(mark, value);
  }
  for (const scope of scopes) scope.close();
  return scopes;
}

interface Marked {
  readonly firstMark: number;
  readonly markCount: number;
  /** the name of the record */
  readonly name: string | null;
}

/** the name of a member by its offsets; null: it is an element */
function memberName(source: Buffer, member: number, value: number): string | null {
  if (member === value || source[member] !== QUOTE) return null;
  const end = source.lastIndexOf(QUOTE, value - 1) + 1;
  return textAt(source, member, end, true);
}

const QUOTE = 0x22;
const OUTERMOST: readonly number[] = [0];

/** Determines the scopes around entries. Entries must be requested in document order, so that each scope is visited twice. */
class Chain {
  readonly #scanner: JsonScanner;
  /** from the record itself to the innermost scope */
  readonly #around = [0];
  #next: number;

  constructor(scanner: JsonScanner) {
    this.#scanner = scanner;
    this.#next = scanner.firstScope;
  }

  at(entry: number): readonly number[] {
    const { firstScope, scopeCount } = this.#scanner;
    for (; this.#next < scopeCount; this.#next++) {
      const open = this.#scanner.scope(this.#next);
      if (open >= entry) break;
      this.#leave(open);
      this.#around.push(this.#next - firstScope + 1);
    }
    this.#leave(entry);
    return this.#around;
  }

  /** Leaves the scopes that end before an entry. */
  #leave(entry: number): void {
    const scanner = this.#scanner;
    for (let last = this.#around.at(-1)!; last > 0; last = this.#around.at(-1)!) {
      if (entry < scanner.word(scanner.scope(scanner.firstScope + last - 1), 3)) return;
      this.#around.pop();
    }
  }
}
