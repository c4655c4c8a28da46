/**
 * Discloses one body: takes the pieces of a reader and returns parts. Looks up consents in batches, asks the policy once for each distinct
 * state, renders every piece in order and counts what was done. Longer than most: these steps depend on their order.
 */
import { SluiceError } from '../../errors.ts';
import type { DisclosureAnswer } from '../../model/answers.ts';
import type { Catalog } from '../../model/catalog.ts';
import { type DataSubjectState, NO_STATE, type States } from '../../model/consent.ts';
import type { DisclosurePart, DisclosurePlan, TypedId } from '../../model/disclosure.ts';
import { ProgramRun, UnknownPaths } from './counter.ts';
import { Verdicts, type Verdict } from './verdicts.ts';
import type { Automaton } from '../fields/automaton.ts';
import type { CatalogCache, CompiledCatalog } from '../fields/catalogs.ts';
import { idOf, idsOf } from '../subjects/spelling.ts';
import type {
  BodyReader,
  CountPiece,
  DisclosureLimits,
  Format,
  Piece,
  Program,
  RecordPiece,
  RecordScope,
  Rendering,
} from '../formats/format.ts';
import { type Grouped, smallGroups } from './groups.ts';
import { Collected } from './output.ts';
import { choiceOf, type Instructions, type TreatmentSet } from '../fields/program.ts';
import { Filtered } from './filtered.ts';
import { Retained } from './retained.ts';
import { KEY_POINTER } from '../fields/pointer.ts';
import { Searched } from './searched.ts';
import { canonicalIds, keyOf, typedIds } from '../subjects/places.ts';
import { Tally, takeSummary } from './summary.ts';
import type { Treatment, TreatmentKeys } from '../treatments/treatment.ts';

export interface Shared {
  readonly keys: TreatmentKeys;
  readonly limits: DisclosureLimits;
  readonly treatments: ReadonlyMap<string, Treatment>;
  readonly catalogs: CatalogCache;
  /** the keyed digest of a data subject's id */
  readonly dataSubject: (id: string) => string;
}

const NO_STATES: States = new Map();
/** renderings kept for one body */
const RENDERINGS = 1024;

const NOBODY: readonly DataSubjectState[] = [NO_STATE];
const NO_TEXTS: readonly string[] = [];
const NO_IDS: ReadonlyMap<string, string> = new Map();
const NO_PIECES: readonly Piece[] = [];

/** The verdict for one scope of a record, with the data subjects and states that it is based on. */
interface Asked {
  readonly verdict: Verdict;
  readonly subjects: readonly string[];
  readonly states: readonly DataSubjectState[];
}

export class Session {
  readonly #plan: DisclosurePlan;
  readonly #shared: Shared;
  readonly #compiled: CompiledCatalog;
  readonly #reader: BodyReader;
  readonly #answers: Verdicts;
  readonly #treatments: TreatmentSet;
  readonly #out = new Collected();
  readonly #tally = new Tally();
  readonly #unknown: UnknownPaths;
  readonly #running = new Map<Instructions, ProgramRun>();
  /** for records without embedded resources, by verdict; the last one beside it, since most bodies need one */
  #renderings: Map<Verdict, Rendering> | null = null;
  #lastRendering: { readonly verdict: Verdict; readonly rendering: Rendering } | null = null;
  readonly #maxRecords: number;
  readonly #minGroup: number;
  /** pieces held back until the groups are counted */
  #held: readonly Piece[] = NO_PIECES;
  #heldBytes = 0;
  /** held records beyond `max_records` */
  #beyond: ReadonlySet<RecordPiece> | null = null;
  /** complete parts that were not taken yet */
  #parts: DisclosurePart[] = [];
  /** calls of `plan.consents`, and the first on which the next part rests */
  #lookups = 0;
  #firstLookup = 0;
  /** counts of records of the whole body */
  #released = 0;
  #withheld = 0;
  /** records beyond `max_records` were withheld */
  #cutShort = false;
  /** disclosed records read, on the page or not; and all records read */
  #found = 0;
  #read = 0;
  /** the total that the upstream states for the list; of several totals the lowest, which is that of the search */
  #announcedTotal: number;
  /** the upstream states that there are more records than in this body */
  #more: boolean;
  #over = false;
  readonly #searched: Searched | null;
  /** null: any record may be disclosed */
  readonly #filter: Filtered | null;
  /** null: nothing is too old */
  readonly #retained: Retained | null;
  /** counts in the answer must depend on the released records alone */
  readonly #guarded: boolean;
  /** the data subject that the request names; null: it names none */
  readonly #requestSubject: string | null;
  /** for the current batch, ids by typed value */
  #identified: ReadonlyMap<string, string> = NO_IDS;

  constructor(format: Format, plan: DisclosurePlan, shared: Shared) {
    this.#plan = plan;
    this.#shared = shared;
    this.#compiled = shared.catalogs.compile(plan.catalog, plan.catalogs);
    const { recipient, purpose, obligations } = plan;
    this.#treatments = {
      byName: shared.treatments,
      context: { recipient, purpose, keys: shared.keys },
    };
    this.#answers = new Verdicts(plan);
    this.#unknown = new UnknownPaths(shared.limits.summary_paths);
    this.#maxRecords = obligations.max_records ?? Number.POSITIVE_INFINITY;
    this.#requestSubject = plan.dataSubject === null ? null : idOf(plan.dataSubject) || null;
    this.#announcedTotal = plan.announced?.total ?? Number.POSITIVE_INFINITY;
    this.#more = plan.announced?.more ?? false;
    const { filter = null, provenSubject = null, retention = [], searched = [] } = plan;
    this.#retained = retention.length === 0 ? null : new Retained(retention);
    this.#filter = filter === null && provenSubject === null ? null : new Filtered(plan);
    this.#searched = searched.length === 0 ? null : new Searched(searched);
    this.#minGroup = obligations.min_group_size ?? 1;
    this.#guarded = this.#searched !== null || this.#minGroup > 1 || this.#filter !== null;
    this.#reader = format.open({
      matcher: this.#compiled.base,
      envelope: this.#compiled.envelope(plan.records),
      charset: plan.charset,
      charsetCertain: plan.charsetCertain ?? false,
      uniform: this.#guarded,
      options: plan.options,
      limits: shared.limits,
    });
  }

  /** bytes can be released now */
  get ready(): boolean {
    if (this.#out.size === 0 || this.#out.held) return false;
    return !this.#awaitsRecord;
  }

  /** nothing may be released before a record is */
  get #awaitsRecord(): boolean {
    return this.#plan.recordFirst === true && this.#released === 0;
  }

  /** nothing of the rest of the body may be released */
  get over(): boolean {
    return this.#over;
  }

  async push(chunk: Uint8Array): Promise<void> {
    this.#out.expect(chunk.length);
    const pieces = this.#reader.push(chunk);
    if (this.#minGroup > 1) this.#hold(pieces);
    else {
      if (pieces.length > 0) await this.#process(pieces, null);
      this.#reader.settled?.();
    }
  }

  /** Takes the whole body, instead of `push` and `end`. */
  pushAll(body: Uint8Array): void | Promise<void> {
    if (this.#reader.pushAll === undefined) return this.#pushThenEnd(body);
    this.#out.expect(body.length);
    return this.#finish(this.#reader.pushAll(body));
  }

  async #pushThenEnd(body: Uint8Array): Promise<void> {
    if (body.length > 0) await this.push(body);
    await this.end();
  }

  /** Ends the body and creates the last part. */
  end(): void | Promise<void> {
    return this.#finish(this.#reader.end());
  }

  #finish(pieces: readonly Piece[]): void | Promise<void> {
    // Most bodies have neither groups nor pages, and their consents are in memory: then nothing is waited for.
    if (this.#minGroup > 1 || this.#plan.page != null) return this.#finishGuarded(pieces);
    const processed = this.#process(pieces, null);
    if (processed instanceof Promise) return processed.then(() => this.#conclude());
    this.#conclude();
  }

  async #finishGuarded(pieces: readonly Piece[]): Promise<void> {
    if (this.#minGroup > 1) {
      this.#hold(pieces);
      await this.#process(this.#held, await this.#smallGroups());
    } else await this.#process(pieces, null);
    await this.#checkPage();
    this.#conclude();
  }

  #conclude(): void {
    this.#fill(false);
    this.#reader.settled?.();
    this.cut(true);
    this.#out.end();
    for (const run of this.#running.values()) run.recycle();
  }

  /**
   * Refuses a page that is not full although there may be more records: it would reveal how many were withheld.
   * @throws SluiceError `narrowed_page_refused`
   */
  async #checkPage(): Promise<void> {
    const { page = null } = this.#plan;
    if (page === null || this.#released >= this.#maxRecords) return;
    if (page.limit !== null && this.#found >= page.offset + page.limit) return;
    if (this.#read >= page.fetch)
      throw new SluiceError(
        'narrowed_page_refused',
        `The request narrows a list of which Sluice reads at most ${page.fetch} records (paging.fetch or paging.size), and too few of them can be released to fill the page. Narrow the list further.`,
      );
    if (await this.#hasMore())
      throw new SluiceError(
        'narrowed_page_refused',
        'The upstream returned only a part of the list that the request narrows, so that a gap would reveal the content of a withheld record. Narrow the list further; or configure how the upstream pages (paging), with a paging.fetch that the upstream returns in one answer.',
      );
  }

  /** Whether the list has more records than the body. */
  async #hasMore(): Promise<boolean> {
    if (this.#announcedTotal !== Number.POSITIVE_INFINITY) return this.#read < this.#announcedTotal;
    if (this.#read === 0) return false;
    // Some upstreams always name a next page, so that its content is more reliable than its announcement.
    return (await this.#plan.more?.(this.#read)) ?? this.#more;
  }

  /**
   * Creates a part from what was written since the last one.
   * @param within a batch: the next part rests on the same look-up
   */
  cut(last: boolean, within = false): void {
    const chunks = this.#out.take();
    const summary = takeSummary(this.#tally, this.#running.values(), this.#unknown, this.#shared.dataSubject);
    const to = this.#lookups;
    this.#parts.push({ chunks, summary, last, lookups: { from: this.#firstLookup, to } });
    this.#firstLookup = within && to > 0 ? to - 1 : to;
    // Answers that depend on an attribute may differ for each record. The counts are in the summary, so the runs can be dropped.
    if (this.#running.size > RENDERINGS) {
      this.#running.clear();
      this.#renderings = null;
      this.#lastRendering = null;
    }
  }

  /** Returns the complete parts. The caller owns them. */
  take(): readonly DisclosurePart[] {
    const parts = this.#parts;
    if (parts.length > 0) this.#parts = [];
    return parts;
  }

  #hold(pieces: readonly Piece[]): void {
    const { group_bytes } = this.#shared.limits;
    const held = this.#held === NO_PIECES ? [] : (this.#held as Piece[]);
    this.#held = held;
    for (const piece of pieces) {
      held.push(piece);
      this.#heldBytes += piece.kind === 'count' ? 256 : (piece.size ?? 256);
    }
    if (this.#heldBytes <= group_bytes) return;
    throw new SluiceError(
      'group_size_unmet',
      `the answer must hold groups of at least ${this.#minGroup} records, and to form them Sluice must buffer the answer, which is limited to ${group_bytes} bytes (limits.group). Request less.`,
    );
  }

  #process(
    pieces: readonly Piece[],
    small: ReadonlySet<RecordPiece> | null,
    first = 0,
  ): void | Promise<void> {
    const { batch_records } = this.#shared.limits;
    for (let from = first; from < pieces.length; from += batch_records) {
      const to = Math.min(pieces.length, from + batch_records);
      const states = this.#statesOf(pieces, from, to);
      if (states instanceof Promise)
        return states.then((found) => {
          this.#batch(pieces, from, to, found, small);
          return this.#process(pieces, small, to);
        });
      this.#batch(pieces, from, to, states, small);
    }
  }

  #batch(
    pieces: readonly Piece[],
    from: number,
    to: number,
    states: States,
    small: ReadonlySet<RecordPiece> | null,
  ): void {
    const { hold_bytes, part_bytes, record_bytes } = this.#shared.limits;
    for (let n = from; n < to; n++) {
      const piece = pieces[n]!;
      if (piece.kind === 'record') this.#record(piece, states, small?.has(piece) === true);
      else if (piece.kind === 'count') this.#count(piece);
      else {
        this.#more ||= piece.more === true;
        piece.render(this.#out, this.#unknown);
      }
      if (this.#out.size < part_bytes) continue;
      if (this.#awaitsRecord && this.#out.size > record_bytes)
        throw new SluiceError(
          'record_too_large',
          `The answer has more than ${record_bytes} bytes around its record (limits.record), and Sluice sends none of them before it has released the record.`,
        );
      if (this.#out.held && this.#out.size > hold_bytes) this.#fill(true);
      if (this.ready) this.cut(false, n + 1 < to);
    }
  }

  /** The states of all data subjects of a batch, which are looked up together. */
  #statesOf(pieces: readonly Piece[], from: number, to: number): States | Promise<States> {
    const typed = this.#typed(pieces, from, to);
    if (typed instanceof Promise)
      return typed.then((identified) => {
        this.#identified = identified;
        return this.#statesOfIds(this.#ids(pieces, from, to));
      });
    if (typed !== null) this.#identified = typed;
    return this.#statesOfIds(this.#ids(pieces, from, to));
  }

  #statesOfIds(ids: readonly string[]): States | Promise<States> {
    if (ids.length === 0) return NO_STATES;
    this.#lookups++;
    return this.#plan.consents(ids);
  }

  /** ids of all data subjects in a batch: their states are looked up together */
  #ids(pieces: readonly Piece[], from: number, to: number): readonly string[] {
    if (this.#released >= this.#maxRecords) return NO_TEXTS;
    const only = pieces[from]!;
    if (to === from + 1 && only.kind === 'record' && only.scopes.length === 1)
      return this.#idsOfScope(only.scopes[0]!);
    const ids = new Set<string>();
    for (let n = from; n < to; n++) {
      const piece = pieces[n]!;
      if (piece.kind !== 'record') continue;
      for (const scope of piece.scopes) for (const id of this.#idsOfScope(scope)) ids.add(id);
    }
    return [...ids];
  }

  #idsOfScope(scope: RecordScope): readonly string[] {
    const named = this.#namedBy(scope);
    if (named === null) return NO_TEXTS;
    const asks = named.length === 0 && this.#requestSubject !== null && this.#isRecord(scope);
    return asks ? [this.#requestSubject] : named;
  }

  /** ids by the typed values of a batch; null: the batch has none */
  #typed(
    pieces: readonly Piece[],
    from: number,
    to: number,
  ): ReadonlyMap<string, string> | Promise<ReadonlyMap<string, string>> | null {
    if (this.#released >= this.#maxRecords) return null;
    let wanted: Map<string, TypedId> | null = null;
    for (let n = from; n < to; n++) {
      const piece = pieces[n]!;
      if (piece.kind !== 'record') continue;
      for (const { named } of piece.scopes) {
        if (named === undefined) continue;
        wanted ??= new Map();
        for (const id of typedIds(named)) wanted.set(keyOf(id), id);
      }
    }
    const { identify } = this.#plan;
    if (wanted === null || wanted.size === 0 || identify === undefined) return null;
    return identify.call(this.#plan, [...wanted.values()]);
  }

  /** ids of the data subjects of a scope; null: it has a value that names no known person */
  #namedBy({ subjects, named }: RecordScope): readonly string[] | null {
    return named === undefined ? idsOf(subjects) : canonicalIds(named, this.#identified);
  }

  #record(piece: RecordPiece, states: States, small: boolean): void {
    this.#read++;
    const { page = null } = this.#plan;
    const isFull = page !== null && this.#found >= page.offset + (page.limit ?? Number.POSITIVE_INFINITY);
    if (isFull && this.#released >= this.#maxRecords) {
      piece.render(this.#out, null);
      return;
    }
    if (this.#released >= this.#maxRecords || this.#beyond?.has(piece) === true) {
      this.#cutShort = true;
      this.#withhold(piece, ['max_records']);
      return;
    }
    const own = this.#askOwn(piece, states);
    this.#tally.asked.count(own.verdict);
    const withheld = this.#withheldBy(own.verdict, piece.only) ?? (small ? ['group_size_unmet'] : null);
    if (withheld !== null) {
      // A caller can avoid this by requesting the field. For a search it would reveal that something was found.
      if (withheld === NO_SUBJECT && !this.#guarded)
        this.#unknown.count(this.#compiled.catalog.data_subject[0] ?? '', 'drop', NO_SUBJECT[0]!);
      this.#withhold(piece, withheld);
      this.#over = piece.only !== undefined;
      return;
    }
    this.#found++;
    if (page !== null && (isFull || this.#found <= page.offset)) {
      piece.render(this.#out, null);
      return;
    }
    this.#released++;
    this.#tally.records++;
    if (piece.scopes.length === 1) {
      piece.render(this.#out, this.#renderingFor(own));
      this.#attribute(own);
      if (piece.scopes[0]!.keyed === true) this.#accountKey(piece.scopes[0]!, own.verdict);
      return;
    }
    const asked = this.#askAll(piece, states, own);
    piece.render(
      this.#out,
      this.#rendering(asked, (instructions) => this.#run(instructions)),
    );
    for (const [n, scope] of asked.entries()) {
      if (scope.verdict.withheld === null) this.#attribute(scope);
      if (scope !== own) this.#tally.asked.count(scope.verdict);
      if (piece.scopes[n]!.keyed === true) this.#accountKey(piece.scopes[n]!, scope.verdict);
    }
  }

  /** reason codes for withholding records of this verdict; null: they may be released */
  #withheldBy(verdict: Verdict, only?: string): readonly string[] | null {
    return (
      verdict.withheld ??
      this.#searched?.withheldBy(verdict) ??
      (only === undefined ? null : treatedBy(verdict, only))
    );
  }

  /** Records the data subjects and the consents that the release is based on. */
  #attribute({ subjects, states }: Asked): void {
    for (const id of subjects) this.#tally.subjects.add(id);
    for (const { consents } of states) {
      for (const { id } of consents)
        if (id !== undefined) {
          this.#tally.consents ??= new Set();
          this.#tally.consents.add(id);
        }
    }
  }

  #withhold(piece: RecordPiece, codes: readonly string[]): void {
    piece.render(this.#out, null);
    this.#withheld++;
    this.#tally.withhold(codes);
  }

  /** the verdict on the record itself; with several record types, on the record as its type */
  #askOwn({ scopes }: RecordPiece, states: States): Asked {
    if (this.#compiled.catalog.variants === undefined) return this.#ask(scopes[0]!, states);
    if (scopes.length > 1) return this.#ask(scopes[1]!, states);
    return { verdict: untyped(this.#compiled.catalog), subjects: NO_TEXTS, states: NOBODY };
  }

  #askAll(piece: RecordPiece, states: States, own: Asked): Asked[] {
    const first = this.#compiled.catalog.variants === undefined ? 1 : 2;
    return piece.scopes.map((scope, n) => (n < first ? own : this.#ask(scope, states)));
  }

  /** Whether a scope is the record itself: only then does the request's data subject apply. */
  #isRecord({ scope }: RecordScope): boolean {
    return scope < 0 || this.#compiled.base.isRecord(scope);
  }

  /** Counts the name that a scope stands under as released with it. */
  #accountKey({ scope }: RecordScope, { answers, withheld }: Verdict): void {
    const { base } = this.#compiled;
    const id = Math.max(scope, 0);
    const { field } = base.key(id)!;
    if (field >= 0 && withheld === null) this.#run(this.#instructions(base, id, answers)).released(field);
  }

  /** the verdict on a scope of a record */
  #ask(recorded: RecordScope, states: States): Asked {
    const asked = this.#askPolicy(recorded, states);
    const { attributes, keyed } = recorded;
    if (this.#filter === null && this.#retained === null && keyed !== true) return asked;
    const permitted = this.#filter?.verdictOn(asked.verdict, asked.subjects, attributes) ?? asked.verdict;
    const kept = this.#retained?.verdictOn(permitted, attributes) ?? permitted;
    // Last: what the others have left of the name decides.
    const verdict = keyed === true ? this.#byKey(kept) : kept;
    return verdict === asked.verdict ? asked : { ...asked, verdict };
  }

  #askPolicy(recorded: RecordScope, states: States): Asked {
    const { scope, attributes } = recorded;
    const { catalog } = scope < 0 ? this.#compiled : this.#compiled.base.scopes[scope]!;
    const named = this.#namedBy(recorded);
    if (named === null) return { verdict: unnamed(catalog), subjects: NO_TEXTS, states: NOBODY };
    const ids =
      named.length > 0 || this.#requestSubject === null || !this.#isRecord(recorded)
        ? named
        : [this.#requestSubject];
    if (ids.length === 0) {
      // A caller that chooses the fields could otherwise omit the data subject, and with it an objection.
      const verdict =
        catalog.data_subject.length > 0 ? unnamed(catalog) : this.#answers.ask(catalog, NOBODY, attributes);
      return { verdict, subjects: ids, states: NOBODY };
    }
    const theirs: DataSubjectState[] = [];
    for (const id of ids) theirs.push(states.get(id) ?? NO_STATE);
    const verdict = this.#answers.ask(catalog, theirs, attributes);
    return { verdict, subjects: ids, states: theirs };
  }

  /** A name in a map cannot be treated: the record is released with the name unchanged, or withheld. */
  #byKey(verdict: Verdict): Verdict {
    if (verdict.withheld !== null || !Object.hasOwn(verdict.catalog.fields, KEY_POINTER)) return verdict;
    const withheld = treatedBy(verdict, KEY_POINTER);
    return withheld === null ? verdict : { ...verdict, withheld };
  }

  #renderingFor(own: Asked): Rendering {
    const { verdict } = own;
    const last = this.#lastRendering;
    if (last?.verdict === verdict) return last.rendering;
    if (last !== null) {
      this.#renderings ??= new Map();
      if (this.#renderings.size >= RENDERINGS) this.#renderings.clear();
      this.#renderings.set(last.verdict, last.rendering);
    }
    const rendering =
      this.#renderings?.get(verdict) ?? this.#rendering([own], (instructions) => this.#run(instructions));
    this.#lastRendering = { verdict, rendering };
    return rendering;
  }

  #rendering(asked: readonly Asked[], run: (instructions: Instructions) => Program): Rendering {
    const automaton = this.#automatonFor(asked);
    const programs: (Program | undefined)[] = [];
    return {
      matcher: automaton,
      program: (scope, id) => {
        const { verdict } = asked[scope]!;
        if (verdict.withheld !== null) return null;
        programs[scope] ??= run(this.#instructions(automaton, id, verdict.answers));
        return programs[scope];
      },
    };
  }

  #automatonFor(asked: readonly Asked[]): Automaton {
    let extra: Map<string, Set<string>> | null = null;
    for (const { verdict } of asked) {
      const { resource } = verdict.catalog;
      for (const answer of verdict.answers) {
        for (const pointer of this.#compiled.extra(verdict.catalog, answer)) {
          extra ??= new Map();
          extra.set(resource, (extra.get(resource) ?? new Set()).add(pointer));
        }
      }
    }
    return extra === null ? this.#compiled.base : this.#compiled.extended(extra);
  }

  #instructions(automaton: Automaton, scope: number, answers: readonly DisclosureAnswer[]): Instructions {
    return this.#shared.catalogs.instructions(automaton, scope, answers, this.#treatments);
  }

  #run(instructions: Instructions): ProgramRun {
    let running = this.#running.get(instructions);
    if (!running) {
      running = ProgramRun.of(instructions, this.#unknown);
      this.#running.set(instructions, running);
    }
    return running;
  }

  #count(piece: CountPiece): void {
    if (piece.role === 'total' && piece.counted === undefined)
      this.#announcedTotal = Math.min(this.#announcedTotal, piece.value ?? Number.POSITIVE_INFINITY);
    piece.begin(this.#out);
    this.#out.placeholder(piece);
  }

  /** @param early the hold limit is reached before the counts are known */
  #fill(early: boolean): void {
    const all = { released: this.#released, withheld: this.#withheld, closed: !early };
    this.#out.fill(({ role, path, value, counted }) => {
      const { released, withheld, closed } = counted ?? all;
      if (closed && role === 'record_count') return released;
      if (this.#guarded) {
        if (closed && this.#isTotalSafe(value, released, withheld))
          return this.#plan.page == null ? released : this.#found;
        this.#unknown.count(path, 'nullify', 'count_not_told');
        return null;
      }
      if (closed && withheld === 0) return 'keep';
      // The body has all records of the list, so the number of released ones is the total, as if the others did not exist.
      if (closed && !this.#cutShort && value === released + withheld) return released;
      this.#unknown.count(path, 'nullify', closed ? 'records_withheld' : 'count_before_records');
      return null;
    });
  }

  /**
   * Whether the total reveals no more than the released records do. Zero never qualifies: an answer whose matches were all withheld must read
   * as one without matches, for any page.
   */
  #isTotalSafe(total: number | null, released: number, withheld: number): boolean {
    const { paged = false, page = null } = this.#plan;
    if (released === 0 || this.#released >= this.#maxRecords) return false;
    if (page !== null && Number.isFinite(page.fetch)) return total === this.#read && this.#read < page.fetch;
    return !paged && total === released + withheld;
  }

  /**
   * The held records whose group is too small. Groups consist of records that can be released: those beyond `max_records` belong to none, and do
   * not replace records that are withheld here.
   */
  async #smallGroups(): Promise<ReadonlySet<RecordPiece>> {
    const records = this.#held.filter((piece) => piece.kind === 'record');
    const groups: Grouped<RecordPiece>[] = [];
    const beyond = new Set<RecordPiece>();
    const { batch_records } = this.#shared.limits;
    for (let from = 0; from < records.length; from += batch_records) {
      const to = Math.min(records.length, from + batch_records);
      const states = await this.#statesOf(records, from, to);
      for (const piece of records.slice(from, to)) {
        const asked = this.#askAll(piece, states, this.#askOwn(piece, states));
        if (this.#withheldBy(asked[0]!.verdict, piece.only) !== null) continue;
        // for a page, the groups of the whole list count, so that they are the same on every page
        if (groups.length >= this.#maxRecords && !Number.isFinite(this.#plan.page?.fetch)) {
          beyond.add(piece);
          continue;
        }
        // this rendering only computes the group: its counts are discarded
        const scratch = new UnknownPaths(0);
        const group = piece.group(this.#rendering(asked, (i) => ProgramRun.of(i, scratch)));
        groups.push({ record: piece, group, people: peopleOf(asked) });
      }
    }
    this.#beyond = beyond;
    return smallGroups(groups, this.#minGroup);
  }
}

/** The people of a record: its own data subjects; if its catalog names none, those of its embedded resources. */
function peopleOf([own, ...embedded]: readonly Asked[]): readonly string[] {
  if (own === undefined || own.subjects.length > 0) return own?.subjects ?? NO_TEXTS;
  return embedded.flatMap(({ verdict, subjects }) => (verdict.withheld === null ? subjects : NO_TEXTS));
}

/** Reason codes if the field at `pointer` is not disclosed unchanged; null: it is. */
function treatedBy({ catalog, answers }: Verdict, pointer: string): readonly string[] | null {
  const because = answers
    .map((answer) => choiceOf(catalog, answer, pointer))
    .filter((choice) => choice.do !== 'disclose')
    .map((choice) => choice.because);
  return because.length > 0 ? [...new Set(because)] : null;
}

const untyped = (catalog: Catalog): Verdict => ({
  catalog,
  answers: [],
  withheld: ['record_type_unknown'],
  stateAnswers: [],
});

const NO_SUBJECT: readonly string[] = ['data_subject_unknown'];

const unnamed = (catalog: Catalog): Verdict => ({
  catalog,
  answers: [],
  withheld: NO_SUBJECT,
  stateAnswers: [],
});
