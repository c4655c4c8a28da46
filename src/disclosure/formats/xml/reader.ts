/**
 * XML, SOAP, Atom, XML-RPC. Elements are members by local name, attributes by `@name`; repeated elements have the same path; `*` matches any
 * element. Everything but elements, attributes and text (comments, processing instructions) is removed; a DOCTYPE is refused. Memory holds one
 * record, or one token around the records.
 *
 * Options of a route's `response`:
 * - `namespaces: { crm: "urn:crm" }`: an element of that namespace is `crm:name` in paths, one without a namespace is `name`, and elements of
 *   other namespaces match no path. Without this option only the local name counts.
 * - `dialect: xmlrpc`: within a record, structs are objects, arrays are lists and values are scalars (`rpc.ts`)
 *
 * Longer than most: one state machine over tokens with shared positions.
 */
import { SluiceError } from '../../../errors.ts';
import { type Charset, UTF8 } from '../shared/charsets.ts';
import { escapeToken } from '../../../model/pointer.ts';
import type { BodyReader, Format, FormatSetup, Piece, StateId } from '../format.ts';
import { choice, mapping, onlyOptions } from '../shared/options.ts';
import { Builder } from './build.ts';
import { xmlCharset } from './charset.ts';
import { copy, count, isCount, literal, Shell, type Source, withheld } from './frames.ts';
import { malformed, spansOf, type Token, XmlLexer } from './lexer.ts';
import { type Parsed, XmlParser } from './parser.ts';
import { type Dialect, PLAIN, XmlRecord } from './render.ts';
import { emptied } from './soap.ts';
import { PlainReader } from './plain-reader.ts';
import { NO_RECORDS, NO_RESULT, WITHHELD_FAULT, XMLRPC } from './rpc.ts';
import {
  isBlank,
  type Naming,
  type OpenTag,
  openTag,
  type ParsedTag,
  plainTag,
  type Span,
  Text,
} from './tree.ts';

export const xml: Format = {
  name: 'xml',
  layout: 'elements',
  media: {
    types: ['application/xml', 'text/xml'],
    suffix: {
      name: '+xml',
      registered: [
        'application/atom+xml',
        'application/rss+xml',
        'application/soap+xml',
        'application/fhir+xml',
        'application/problem+xml',
      ],
      except: ['application/xhtml+xml', 'image/svg+xml'],
    },
    declaresCharset: true,
    charsetParameter: 'if_stated',
  },
  open: (setup) => new XmlReader(setup),
};

const EMPTY = new Uint8Array(0);
/** XML-RPC */
const RESPONSE = '/methodResponse';
const FAULT = `${RESPONSE}/fault`;
/** the required elements of a SOAP envelope */
const SOAP = /^\/(?:[^/:]+:)?Envelope\/(?:[^/:]+:)?Body(?:\/[^/]+)?$/;
/** `xml:lang`, `xml:space`: bound to that prefix without a declaration (Namespaces in XML 1.0 §3) */
const XML = 'http://www.w3.org/XML/1998/namespace';
/** bytes that are passed to saxes at once, which bounds the tokens and events in memory */
const SLICE = 32 * 1024;

/** An open element around the records. */
interface Frame {
  readonly state: StateId;
  readonly path: string;
  /** its text is kept */
  readonly status: boolean;
  /** null: its tags are copied */
  readonly shell: Shell | null;
}

/** How tokens are handled: `around` the records, building a subtree, or dropping one. */
type Mode =
  | { readonly kind: 'around' }
  | Building
  | { readonly kind: 'drop'; readonly depth: number }
  /** a record is read into the index */
  | { readonly kind: 'index'; readonly record: Indexing };
interface Indexing {
  readonly lead: number;
  readonly depth: number;
  /** makes a builder with its root */
  readonly plant: () => Builder;
}
/** `depth` is that of its root */
type Building = { readonly builder: Builder; readonly lead: number; readonly depth: number } & (
  | { readonly kind: 'record' }
  | { readonly kind: 'count'; readonly role: 'record_count' | 'total'; readonly path: string }
);

const AROUND: Mode = { kind: 'around' };

class XmlReader implements BodyReader {
  readonly #setup: FormatSetup;
  readonly #naming: Naming;
  readonly #dialect: Dialect;
  readonly #names = new WeakMap<ParsedTag, readonly string[]>();
  readonly #frames: Frame[] = [];
  #head: Uint8Array = EMPTY;
  #charset: Charset = UTF8;
  #lexer: XmlLexer | null = null;
  #parser: XmlParser | null = null;
  #pieces: Piece[] = [];
  #mode: Mode = AROUND;
  #depth = 0;
  /** origin of positions; the bytes before it are processed */
  #origin = 0;
  /** pieces belong to the start tag of a new shell */
  #bare = false;
  /** pending white space, which is released with the item after it */
  #lead: Span | null = null;
  readonly #plain: PlainReader;
  /** nothing was tokenized beyond the current token */
  #last = false;
  /** pending text, since saxes reports it with the next token */
  #waiting: Token | null = null;

  constructor(setup: FormatSetup) {
    const { options } = setup;
    onlyOptions('xml', options, ['namespaces', 'dialect']);
    this.#setup = setup;
    this.#naming = namingOf(mapping(options, 'namespaces'));
    const dialect = choice(options, 'dialect', 'plain', ['plain', 'xmlrpc'] as const);
    this.#dialect = dialect === 'xmlrpc' ? XMLRPC : PLAIN;
    this.#plain = new PlainReader(setup, this.#naming, dialect === 'plain');
  }

  push(chunk: Uint8Array): readonly Piece[] {
    this.#pieces = [];
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    for (let from = 0; from < bytes.length; from += SLICE)
      this.#take(bytes.subarray(from, from + SLICE), false);
    return this.#pieces;
  }

  end(): readonly Piece[] {
    this.#pieces = [];
    this.#take(EMPTY, true);
    this.#flush();
    return this.#pieces;
  }

  #take(chunk: Uint8Array, final: boolean): void {
    if (this.#lexer === null) {
      this.#head = this.#head.length === 0 ? chunk : Buffer.concat([this.#head, chunk]);
      const { charset, charsetCertain = false } = this.#setup;
      const found = xmlCharset(charset || null, this.#head, final, charsetCertain);
      if (found === null) return;
      this.#charset = found.charset;
      this.#lexer = new XmlLexer(found.charset);
      this.#parser = new XmlParser(found.charset, this.#setup.limits);
      this.#lexer.append(this.#head, 0);
      this.#lexer.at = found.mark;
      if (found.mark > 0) this.#pieces.push(copy(this.#source, 0, found.mark));
      this.#head = EMPTY;
    } else this.#append(this.#lexer, chunk);
    const lexer = this.#lexer;
    if (final && this.#mode.kind === 'index') this.#leaveIndex(this.#mode.record);
    for (;;) {
      if (this.#mode.kind === 'index') {
        if (this.#scan(this.#mode)) continue;
        break;
      }
      const tokens = this.#tokens(lexer, final);
      if (final && lexer.at < lexer.input.bytes.length) throw malformed('is truncated');
      // both chunks and slabs are Buffers
      const bytes = lexer.input.bytes as Buffer;
      for (const parsed of this.#parser!.read(tokens, bytes, final)) {
        this.#last = !final && parsed.token === tokens.at(-1);
        this.#token(parsed);
      }
      if (tokens.length === 0 || final) break;
    }
    if (lexer.input.bytes.length - this.#origin > this.#setup.limits.record_bytes) throw this.#tooLarge();
  }

  /** The next tokens that can be read at once: up to where the next record may begin, if it may be indexed. */
  #tokens(lexer: XmlLexer, final: boolean): readonly Token[] {
    const tokens = this.#waiting === null ? [] : [this.#waiting];
    this.#waiting = null;
    const mode = this.#mode;
    const stops = !final && this.#plain.allowed(this.#parser!);
    const outer = mode.kind === 'around' ? this.#depth : 'depth' in mode ? mode.depth - 1 : 0;
    let depth = this.#depth;
    for (let token = lexer.next(final); token !== null; token = lexer.next(final)) {
      tokens.push(token);
      if (!stops || token.kind === 'text') continue;
      if (token.kind === 'start') depth++;
      else if (token.kind === 'end') depth--;
      if (mode.kind === 'around' || depth === outer) return tokens;
    }
    // saxes reports a text with the next token
    if (!final && tokens.at(-1)?.kind === 'text') this.#waiting = tokens.pop()!;
    return tokens;
  }

  /** Reads on in the record that is indexed. @returns false: more bytes are needed */
  #scan({ record }: Extract<Mode, { kind: 'index' }>): boolean {
    const found = this.#plain.scan(this.#source);
    if (found === 'incomplete') return false;
    if (found === 'other') this.#leaveIndex(record);
    else {
      const { piece, at } = this.#plain.end(this.#source, record.lead, this.#parser!, record.plant);
      if (piece.size > this.#setup.limits.record_bytes) throw this.#tooLarge();
      this.#mode = AROUND;
      this.#piece(piece);
      this.#depth--;
      this.#lexer!.at = this.#origin + at;
      this.#forget(this.#lexer!.at);
    }
    return true;
  }

  /** Continues with tokens and a tree. */
  #leaveIndex({ lead, plant, depth }: Indexing): void {
    const builder = plant();
    const { at, open } = this.#plain.leave(this.#source, this.#parser!, builder);
    this.#lexer!.at = this.#origin + at;
    this.#depth += open;
    this.#mode = { kind: 'record', builder, lead, depth };
  }

  /** All pieces are rendered. */
  settled(): void {
    this.#plain.settled(this.#mode.kind === 'index');
  }

  #append(lexer: XmlLexer, chunk: Uint8Array): void {
    const moved = lexer.append(chunk, this.#origin);
    this.#origin -= moved;
    if (this.#waiting !== null)
      this.#waiting = { kind: 'text', start: this.#waiting.start - moved, end: this.#waiting.end - moved };
  }

  get #source(): Source {
    return { bytes: this.#lexer!.input.bytes, base: this.#origin, charset: this.#charset };
  }

  #token({ token, text, blank, tag, declaration }: Parsed): void {
    if (token.end - token.start > this.#setup.limits.record_bytes) throw this.#tooLarge();
    const place = { kind: token.kind, start: token.start - this.#origin, end: token.end - this.#origin };
    if (token.kind === 'start') this.#depth++;
    let item: OpenTag | Text | Token = place;
    if (tag !== null) item = this.#open(place, token, tag);
    else if (text !== null) item = new Text(place.start, place.end, text, isBlank(text));
    else if (blank !== null) {
      const spelled = { bytes: this.#lexer!.input.bytes as Buffer, start: token.start, end: token.end };
      item = new Text(place.start, place.end, spelled, blank);
    }
    const mode = this.#mode;
    if (mode.kind === 'around') this.#around(item, declaration);
    else if (mode.kind === 'drop') {
      if (token.kind === 'end' && this.#depth === mode.depth) this.#mode = AROUND;
    } else if (mode.kind !== 'index') this.#build(mode, item);
    if (token.kind === 'end') this.#depth--;
    this.#forget(token.end);
  }

  /** Releases processed bytes. */
  #forget(done: number): void {
    const at = done - this.#origin;
    if (this.#mode.kind === 'record' || this.#mode.kind === 'count' || this.#mode.kind === 'index') {
      if (at > this.#setup.limits.record_bytes) throw this.#tooLarge();
      return;
    }
    const lead = this.#lead;
    this.#origin += lead?.start ?? at;
    if (lead !== null) this.#lead = { start: 0, end: lead.end - lead.start };
  }

  /** Handles text around the records: white space is pending, other text is in no catalog. */
  #loose(text: Text): void {
    this.#flush();
    const frame = this.#frames.at(-1);
    if (text.blank) this.#lead = { start: text.start, end: text.end };
    else if (frame?.status === true) this.#piece(copy(this.#source, text.start, text.end));
    else this.#piece(withheld(`${frame?.path ?? ''}/#text`, 'uncatalogued'));
  }

  #flush(): void {
    if (this.#lead !== null) this.#piece(copy(this.#source, this.#lead.start, this.#lead.end));
    this.#lead = null;
  }

  #piece(piece: Piece): void {
    const shell = this.#bare ? null : (this.#frames.at(-1)?.shell ?? null);
    this.#pieces.push(shell === null ? piece : shell.within(piece));
  }

  /** Handles the end tag of an element around the records. */
  #end(item: Token): void {
    const shell = this.#frames.at(-1)?.shell ?? null;
    if (shell === null) {
      this.#flush();
      this.#pieces.push(copy(this.#source, item.start, item.end));
      this.#frames.pop();
      return;
    }
    const start = this.#lead?.start ?? item.start;
    this.#lead = null;
    this.#frames.pop();
    this.#piece(shell.end(copy(this.#source, start, item.end)));
  }

  #around(item: OpenTag | Text | Token, declaration: boolean): void {
    if ('attributes' in item) this.#element(item);
    else if (item.kind === 'text') this.#loose(item as Text);
    else if (item.kind === 'end') this.#end(item);
    else if (declaration) {
      this.#flush();
      this.#piece(copy(this.#source, item.start, item.end));
    } else this.#lead = null; // a comment is removed with the white space before it
  }

  #element(tag: OpenTag): void {
    const { envelope } = this.#setup;
    const parent = this.#frames.at(-1);
    // if the body is the record, the root element is
    const isRecord = parent === undefined && envelope.role(envelope.root) === 'record';
    const state = isRecord ? envelope.root : envelope.step(parent?.state ?? envelope.root, tag.names[0]!);
    const path = `${parent?.path ?? ''}/${escapeToken(tag.names[0]!)}`;
    const role = envelope.role(state);
    if (role === 'record') this.#record(tag);
    else if (role !== 'status' && envelope.inner(state) && this.#setup.uniform === true)
      this.#shell(tag, state, path);
    else if (envelope.inner(state) || role === 'status') {
      const status = role === 'status';
      this.#flush();
      const from = this.#opening(tag, state, path);
      this.#piece(copy(this.#source, from, tag.span.end));
      if (!tag.empty) this.#frames.push({ state, path, status, shell: null });
    } else if (role === 'record_count' || role === 'total')
      this.#begin({
        kind: 'count',
        builder: this.#builder(tag),
        lead: this.#leadStart(tag),
        depth: this.#depth,
        role,
        path,
      });
    else {
      this.#piece(withheld(path, role === null ? 'uncatalogued' : `envelope_${role}`));
      const left = path === FAULT && this.#dialect === XMLRPC ? WITHHELD_FAULT : emptied(tag);
      if (left !== null) {
        this.#flush();
        this.#piece(literal(this.#charset, left));
      } else if (parent === undefined) {
        // a document needs its root element
        this.#flush();
        const end = this.#emptyEnd(tag, path, NO_RESULT);
        this.#pieces.push(copy(this.#source, tag.span.start, tag.name.end), literal(this.#charset, end));
      }
      this.#lead = null;
      if (!tag.empty) this.#mode = { kind: 'drop', depth: this.#depth };
    }
  }

  /** The end of an element after its name or attributes if nothing in it is kept. */
  #emptyEnd({ name }: OpenTag, path: string, message: string): string {
    if (path !== RESPONSE || this.#dialect !== XMLRPC) return '/>';
    const { bytes, base } = this.#source;
    return `>${message}</${this.#charset.decode(bytes.subarray(base + name.start, base + name.end))}>`;
  }

  /** Opens an element that leads to records. Without released records it must not reveal that it had some. */
  #shell(tag: OpenTag, state: StateId, path: string): void {
    const outer = this.#frames.at(-1)?.shell ?? null;
    const pieces = this.#pieces;
    this.#pieces = [];
    this.#bare = true;
    this.#flush();
    const from = this.#opening(tag, state, path);
    this.#piece(copy(this.#source, from, tag.rest));
    this.#bare = false;
    const start = this.#pieces;
    this.#pieces = pieces;
    const rest = copy(this.#source, tag.rest, tag.span.end);
    const frames = start.filter((piece) => piece.kind === 'frame');
    // a count in its attributes is always written
    const stays = this.#frames.length === 0 || SOAP.test(path) || frames.length < start.length;
    if (stays) for (const piece of start) this.#piece(piece);
    const shell = new Shell(
      outer,
      stays ? [rest] : [...frames, rest],
      stays ? literal(this.#charset, this.#emptyEnd(tag, path, NO_RECORDS)) : null,
    );
    if (tag.empty) this.#piece(shell.end(literal(this.#charset, '')));
    else this.#frames.push({ state, path, status: false, shell });
  }

  /**
   * Writes the start tag of an element around the records; attributes are kept if the envelope names them.
   * @returns the start of the rest of the tag
   */
  #opening(tag: OpenTag, state: StateId, path: string): number {
    const { envelope } = this.#setup;
    let from = tag.span.start;
    for (const attribute of tag.attributes) {
      if (attribute.declares) continue;
      const name = attribute.names[0]!;
      const role = envelope.role(envelope.step(state, name));
      if (role === 'status') continue;
      const [first, last] = attribute.inner;
      const before = { start: from, end: first };
      from = attribute.end;
      if ((role === 'record_count' || role === 'total') && /^\d{1,18}$/.test(attribute.source())) {
        const parts = {
          before,
          value: { start: first, end: last },
          after: { start: last, end: attribute.end },
        };
        const spelled = { text: attribute.source(), ...parts };
        this.#piece(count(this.#source, role, `${path}/${escapeToken(name)}`, spelled));
        continue;
      }
      const because = role === null ? 'uncatalogued' : `envelope_${role}`;
      this.#piece(copy(this.#source, before.start, attribute.start));
      this.#piece(withheld(`${path}/${escapeToken(name)}`, because));
    }
    return from;
  }

  #leadStart(tag: OpenTag): number {
    const start = this.#lead?.start ?? tag.span.start;
    this.#lead = null;
    return start;
  }

  #builder(tag: OpenTag): Builder {
    return new Builder(tag, this.#charset, this.#setup.limits.record_members);
  }

  #record(tag: OpenTag): void {
    const lead = this.#leadStart(tag);
    const plant = (): Builder => this.#builder(tag);
    const depth = this.#depth;
    if (!tag.empty && this.#last && this.#plain.begin(tag, this.#source, this.#parser!))
      this.#mode = { kind: 'index', record: { lead, plant, depth } };
    else this.#begin({ kind: 'record', builder: plant(), lead, depth });
  }

  #begin(mode: Building): void {
    if (mode.builder.root.empty) this.#finish(mode);
    else this.#mode = mode;
  }

  #build(mode: Building, item: OpenTag | Text | Token): void {
    if ('attributes' in item) mode.builder.start(item);
    else if (item.kind === 'text') mode.builder.text(item as Text);
    else if (item.kind !== 'end') mode.builder.hidden(item.start, item.end);
    else if (mode.builder.end(item.start, item.end)) this.#finish(mode);
  }

  #finish(mode: Building): void {
    this.#mode = AROUND;
    const source = this.#source;
    const root = mode.builder.finish(source);
    const lead = { start: mode.lead, end: root.start };
    if (mode.kind === 'record') {
      if (root.end - lead.start > this.#setup.limits.record_bytes) throw this.#tooLarge();
      this.#piece(new XmlRecord({ ...source, lead }, root, this.#dialect, this.#setup.matcher));
    } else if (isCount(root))
      this.#piece(
        count(source, mode.role, mode.path, {
          text: root.text,
          before: { start: lead.start, end: root.tag.end },
          value: { start: root.tag.end, end: root.close.start },
          after: root.close,
        }),
      );
    else this.#piece(withheld(mode.path, `envelope_${mode.role}`));
  }

  #open(place: Token, token: Token, tag: ParsedTag): OpenTag {
    if (tag.plain === true) return plainTag(tag, place, token.kind === 'empty', this.#namesOf(tag));
    const { start, end } = place;
    const raw = this.#lexer!.input.bytes.subarray(token.start, token.end);
    const spans = spansOf(this.#charset, raw, tag.attributes.length > 0);
    const agree =
      spans.attributes.length === tag.attributes.length &&
      spans.attributes.every(
        ({ name: [from, to] }, k) => this.#charset.decode(raw.subarray(from, to)) === tag.attributes[k]!.name,
      );
    if (!agree) throw malformed('has a tag whose attributes cannot be told apart');
    return openTag(tag, spans, start, end, token.kind === 'empty', this.#naming);
  }

  #namesOf(tag: ParsedTag): readonly string[] {
    let names = this.#names.get(tag);
    if (names === undefined) {
      names = [this.#naming(tag.local, tag.uri)];
      this.#names.set(tag, names);
    }
    return names;
  }

  #tooLarge(): SluiceError {
    return new SluiceError(
      'record_too_large',
      `A record of the XML document, or one piece of text around the records, exceeds ${this.#setup.limits.record_bytes} bytes.`,
    );
  }
}

function namingOf(namespaces: ReadonlyMap<string, string>): Naming {
  if (namespaces.size === 0) return (local) => local;
  const prefixes = new Map([[XML, 'xml'], ...[...namespaces].map(([prefix, uri]) => [uri, prefix] as const)]);
  return (local, uri) => {
    const prefix = uri === '' ? '' : prefixes.get(uri);
    // no path has a name with braces, so that elements of other namespaces match none
    if (prefix === undefined) return `{${uri}}${local}`;
    return prefix === '' ? local : `${prefix}:${local}`;
  };
}
