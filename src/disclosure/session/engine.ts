/**
 * One body on its way: pieces in, parts out. Looks up consents a batch at a time, asks the policy once a distinct state, renders every
 * piece in its order and keeps the account. Longer than most: the order of these steps is the promise.
 */
import { SluiceError } from '../../errors.ts';
import type { DisclosureAnswer } from '../../model/answers.ts';
import type { Catalog } from '../../model/catalog.ts';
import { type DataSubjectState, NO_STATE } from '../../model/consent.ts';
import type { DisclosurePart, DisclosurePlan, TypedId } from '../../model/disclosure.ts';
import { ProgramRun, UnknownPaths } from './counter.ts';
import { Verdicts, type Verdict } from './verdicts.ts';
import type { Automaton } from '../fields/automaton.ts';
import type { CatalogCache, CompiledCatalog } from '../fields/catalogs.ts';
import { idOf, idsOf } from '../subjects/spelling.ts';
import type { DigestCache } from './digest.ts';
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
import { SmallSet, SmallMap } from './small.ts';
import { Collected } from './output.ts';
import { choiceOf, type Instructions, type TreatmentSet } from '../fields/program.ts';
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
  readonly digests: Pick<DigestCache, 'of'>;
}

type States = ReadonlyMap<string, DataSubjectState>;
const NO_STATES: States = new Map();
/** renderings remembered in one body */
const RENDERINGS = 1024;

const NOBODY: readonly DataSubjectState[] = [NO_STATE];
const NOBODYS: readonly string[] = [];
const NO_IDS: ReadonlyMap<string, string> = new Map();
const NO_PIECES: readonly Piece[] = [];

/** One scope of a record: what the policy says, and on whom and what that rests. */
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
  readonly #running = new SmallMap<Instructions, ProgramRun>();
  /** of records without embedded resources, by their verdict */
  readonly #renderings = new SmallMap<Verdict, Rendering>();
  readonly #maxRecords: number;
  readonly #minGroup: number;
  /** pieces held back until the groups are counted */
  #held: readonly Piece[] = NO_PIECES;
  #heldBytes = 0;
  /** of those the ones that `max_records` cuts off */
  #beyond: ReadonlySet<RecordPiece> | null = null;
  /** parts that are complete and not handed out yet */
  #parts: DisclosurePart[] = [];
  /** of the whole body */
  #released = 0;
  #withheld = 0;
  /** records beyond `max_records` were withheld */
  #cutShort = false;
  /** disclosed records met, be they on the page or not, and records met at all */
  #found = 0;
  #met = 0;
  /** so many records there are, by what the upstream says of the whole list; of several totals the one of what was searched for */
  #said: number;
  /** the upstream says that there are more records than these */
  #more: boolean;
  #over = false;
  readonly #searched: Searched | null;
  /** what the answer counts must depend on the released records alone */
  readonly #guarded: boolean;
  /** whose data it is by the request's own account; null: it has none */
  readonly #known: string | null;
  /** of the batch at work, ids of those whom typed values name */
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
    this.#known = plan.dataSubject === null ? null : idOf(plan.dataSubject) || null;
    this.#said = plan.announced?.total ?? Number.POSITIVE_INFINITY;
    this.#more = plan.announced?.more ?? false;
    const { searched = [] } = plan;
    this.#searched = searched.length === 0 ? null : new Searched(searched);
    this.#minGroup = obligations.min_group_size ?? 1;
    this.#guarded = this.#searched !== null || this.#minGroup > 1;
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

  /** something is waiting to leave, and may */
  get ready(): boolean {
    return this.#out.size > 0 && !this.#out.held;
  }

  /** nothing of what is still to come may leave */
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

  /** all of the body at once, in place of `push` and `end` */
  async pushAll(body: Uint8Array): Promise<void> {
    if (this.#reader.pushAll === undefined) {
      if (body.length > 0) await this.push(body);
      await this.end();
      return;
    }
    this.#out.expect(body.length);
    await this.#finish(this.#reader.pushAll(body));
  }

  /** the body is over: the rest, and the last part */
  async end(): Promise<void> {
    await this.#finish(this.#reader.end());
  }

  async #finish(pieces: readonly Piece[]): Promise<void> {
    if (this.#minGroup > 1) {
      this.#hold(pieces);
      await this.#process(this.#held, await this.#smallGroups());
    } else if (pieces.length > 0) await this.#process(pieces, null);
    await this.#checkPage();
    this.#fill(false);
    this.#reader.settled?.();
    this.cut(true);
    this.#out.end();
    for (const running of this.#running.values()) running.rest();
  }

  /**
   * A page that is not full although there may be more records would tell how many were withheld.
   * @throws SluiceError `narrowed_page_refused`
   */
  async #checkPage(): Promise<void> {
    const { page = null } = this.#plan;
    if (page === null || this.#released >= this.#maxRecords) return;
    if (page.limit !== null && this.#found >= page.offset + page.limit) return;
    if (this.#met >= page.fetch)
      throw new SluiceError(
        'narrowed_page_refused',
        `The request narrows a list of which no more than ${page.fetch} records are looked at (paging.fetch, or paging.size), and too few of them make up the page. Narrow the list further.`,
      );
    if (await this.#goesOn())
      throw new SluiceError(
        'narrowed_page_refused',
        'The upstream gave only a part of the list that the request narrows: a gap in it would tell what a withheld record holds. Narrow the list further; or let the route say how the upstream pages (paging), with a paging.fetch that is no larger than what the upstream gives at once.',
      );
  }

  /** Whether the list has records besides those of the body. */
  async #goesOn(): Promise<boolean> {
    if (this.#said !== Number.POSITIVE_INFINITY) return this.#met < this.#said;
    if (this.#met === 0) return false;
    // Some upstreams name a next page wherever they found anything: what they answer there is more certain.
    return (await this.#plan.more?.(this.#met)) ?? this.#more;
  }

  /** what is ready becomes a part */
  cut(last: boolean): void {
    const chunks = this.#out.take();
    const summary = takeSummary(this.#tally, this.#running.values(), this.#unknown);
    this.#parts.push({ chunks, summary, last });
    // answers that depend on an attribute may differ from record to record: what was counted may be forgotten
    if (this.#running.size > RENDERINGS) {
      this.#running.clear();
      this.#renderings.clear();
    }
  }

  /** the parts that are complete; they are nobody's but the caller's from then on */
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
      `the answer must hold groups of at least ${this.#minGroup} records, and to count them it would have to be held whole, which is limited to ${group_bytes} bytes (limits.group): ask for less`,
    );
  }

  async #process(pieces: readonly Piece[], small: ReadonlySet<RecordPiece> | null): Promise<void> {
    const { batch_records, part_bytes } = this.#shared.limits;
    for (let from = 0; from < pieces.length; from += batch_records) {
      const to = Math.min(pieces.length, from + batch_records);
      const typed = this.#typed(pieces, from, to);
      if (typed !== null) this.#identified = await typed;
      const ids = this.#ids(pieces, from, to);
      const states = ids.length === 0 ? NO_STATES : await this.#plan.consents(ids);
      for (let n = from; n < to; n++) {
        const piece = pieces[n]!;
        if (piece.kind === 'record') this.#record(piece, states, small?.has(piece) === true);
        else if (piece.kind === 'count') this.#count(piece);
        else {
          this.#more ||= piece.more === true;
          piece.render(this.#out, this.#unknown);
        }
        if (this.#out.size < part_bytes) continue;
        if (this.#out.held && this.#out.size > this.#shared.limits.hold_bytes) this.#fill(true);
        if (this.ready) this.cut(false);
      }
    }
  }

  /** all data subjects in a batch: their states are one question */
  #ids(pieces: readonly Piece[], from: number, to: number): readonly string[] {
    if (this.#released >= this.#maxRecords) return NOBODYS;
    const ids = new SmallSet();
    for (let n = from; n < to; n++) {
      const piece = pieces[n]!;
      if (piece.kind !== 'record') continue;
      for (const scope of piece.scopes) {
        const named = this.#namedBy(scope);
        if (named === null) continue;
        for (const id of named) ids.add(id);
        if (this.#known !== null && named.length === 0 && this.#isRecord(scope)) ids.add(this.#known);
      }
    }
    return ids.take();
  }

  /** who the typed values of a batch name; null: there are none */
  #typed(pieces: readonly Piece[], from: number, to: number): Promise<ReadonlyMap<string, string>> | null {
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

  /** ids of whom a scope is about; null: it names somebody whom nobody knows */
  #namedBy({ subjects, named }: RecordScope): readonly string[] | null {
    return named === undefined ? idsOf(subjects) : canonicalIds(named, this.#identified);
  }

  #record(piece: RecordPiece, states: States, small: boolean): void {
    this.#met++;
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
      // what a caller can put right by asking for the field; of a search it would tell that something was found
      if (withheld === OWNERLESS && !this.#guarded)
        this.#unknown.counter(this.#compiled.catalog.data_subject[0] ?? '', 'drop', OWNERLESS[0]!);
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

  /** codes of the reasons why a record of this verdict stays; null: none */
  #withheldBy(verdict: Verdict, only?: string): readonly string[] | null {
    return (
      verdict.withheld ??
      this.#searched?.withheldBy(verdict) ??
      (only === undefined ? null : disguisedBy(verdict, only))
    );
  }

  /** whose data left, and on which consents that rested */
  #attribute({ subjects, states }: Asked): void {
    for (const id of subjects) this.#tally.subjects.add(this.#shared.digests.of(id));
    for (const { consents } of states) {
      for (const { id } of consents) if (id !== undefined) this.#tally.consents.add(id);
    }
  }

  #withhold(piece: RecordPiece, codes: readonly string[]): void {
    piece.render(this.#out, null);
    this.#withheld++;
    this.#tally.withhold(codes);
  }

  /** what the policy says about the record itself: of several types, about what it is */
  #askOwn({ scopes }: RecordPiece, states: States): Asked {
    if (this.#compiled.catalog.variants === undefined) return this.#ask(scopes[0]!, states);
    if (scopes.length > 1) return this.#ask(scopes[1]!, states);
    return { verdict: untyped(this.#compiled.catalog), subjects: NOBODYS, states: NOBODY };
  }

  #askAll(piece: RecordPiece, states: States, own: Asked): Asked[] {
    const first = this.#compiled.catalog.variants === undefined ? 1 : 2;
    return piece.scopes.map((scope, n) => (n < first ? own : this.#ask(scope, states)));
  }

  /** whether a scope is the record itself, as which the request may say whose it is */
  #isRecord({ scope }: RecordScope): boolean {
    return scope < 0 || this.#compiled.base.isRecord(scope);
  }

  /** The name that a scope stands under has left with it. */
  #accountKey({ scope }: RecordScope, { answers, withheld }: Verdict): void {
    const { base } = this.#compiled;
    const id = Math.max(scope, 0);
    const { field } = base.key(id)!;
    if (field >= 0 && withheld === null) this.#run(this.#instructions(base, id, answers)).released(field);
  }

  /** what the policy says about a scope of a record */
  #ask(recorded: RecordScope, states: States): Asked {
    const { scope, attributes, keyed } = recorded;
    const { catalog } = scope < 0 ? this.#compiled : this.#compiled.base.scopes[scope]!;
    const named = this.#namedBy(recorded);
    if (named === null) return { verdict: unnamed(catalog), subjects: NOBODYS, states: NOBODY };
    const ids = named.length > 0 || this.#known === null || !this.#isRecord(recorded) ? named : [this.#known];
    if (ids.length === 0) {
      // A caller that can choose an answer's fields could leave out whose it is, and an objection with it.
      const verdict =
        catalog.data_subject.length > 0 ? unnamed(catalog) : this.#answers.ask(catalog, NOBODY, attributes);
      return { verdict, subjects: ids, states: NOBODY };
    }
    const theirs: DataSubjectState[] = [];
    for (const id of ids) theirs.push(states.get(id) ?? NO_STATE);
    const verdict = this.#answers.ask(catalog, theirs, attributes);
    return { verdict: keyed === true ? this.#byKey(verdict) : verdict, subjects: ids, states: theirs };
  }

  /** A name in a map cannot be disguised: a record leaves with it as it is, or stays. */
  #byKey(verdict: Verdict): Verdict {
    if (verdict.withheld !== null || !Object.hasOwn(verdict.catalog.fields, KEY_POINTER)) return verdict;
    const withheld = disguisedBy(verdict, KEY_POINTER);
    return withheld === null ? verdict : { ...verdict, withheld };
  }

  #renderingFor(own: Asked): Rendering {
    let rendering = this.#renderings.get(own.verdict);
    if (rendering === undefined) {
      rendering = this.#rendering([own], (instructions) => this.#run(instructions));
      if (this.#renderings.size >= RENDERINGS) this.#renderings.clear();
      this.#renderings.set(own.verdict, rendering);
    }
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
      this.#said = Math.min(this.#said, piece.value ?? Number.POSITIVE_INFINITY);
    piece.begin(this.#out);
    this.#out.hole(piece);
  }

  /** @param early the counts are not known yet and cannot be waited for any longer */
  #fill(early: boolean): void {
    const all = { released: this.#released, withheld: this.#withheld, closed: !early };
    this.#out.fill(({ role, path, value, counted }) => {
      const { released, withheld, closed } = counted ?? all;
      if (closed && role === 'record_count') return released;
      if (this.#guarded) {
        if (closed && this.#isWhole(value, released, withheld))
          return this.#plan.page == null ? released : this.#found;
        this.#unknown.counter(path, 'nullify', 'count_not_told');
        return null;
      }
      if (closed && withheld === 0) return 'keep';
      // All that there are have been seen: what is left of them is the total, as if the others had never been.
      if (closed && !this.#cutShort && value === released + withheld) return released;
      this.#unknown.counter(path, 'nullify', closed ? 'records_withheld' : 'count_before_records');
      return null;
    });
  }

  /**
   * Whether the number that is left of a total tells nothing but what the released records tell. Zero does: that something matched and was
   * withheld must read as that nothing matched, whatever page was asked for.
   */
  #isWhole(total: number | null, released: number, withheld: number): boolean {
    const { paged = false, page = null } = this.#plan;
    if (released === 0 || this.#released >= this.#maxRecords) return false;
    if (page !== null && Number.isFinite(page.fetch)) return total === this.#met && this.#met < page.fetch;
    return !paged && total === released + withheld;
  }

  /**
   * The held records whose group is smaller than it must be. Groups are of what leaves: records beyond `max_records` are in none, and do not
   * follow up for those that are taken out here.
   */
  async #smallGroups(): Promise<ReadonlySet<RecordPiece>> {
    const records = this.#held.filter((piece) => piece.kind === 'record');
    const groups: Grouped<RecordPiece>[] = [];
    const beyond = new Set<RecordPiece>();
    const { batch_records } = this.#shared.limits;
    for (let from = 0; from < records.length; from += batch_records) {
      const to = Math.min(records.length, from + batch_records);
      const typed = this.#typed(records, from, to);
      if (typed !== null) this.#identified = await typed;
      const ids = this.#ids(records, from, to);
      const states = ids.length === 0 ? NO_STATES : await this.#plan.consents(ids);
      for (const piece of records.slice(from, to)) {
        const asked = this.#askAll(piece, states, this.#askOwn(piece, states));
        if (this.#withheldBy(asked[0]!.verdict, piece.only) !== null) continue;
        // of a page the whole list is looked at, so that whoever turns the pages sees the groups of one list
        if (groups.length >= this.#maxRecords && !Number.isFinite(this.#plan.page?.fetch)) {
          beyond.add(piece);
          continue;
        }
        // a rehearsal: its account is thrown away
        const scratch = new UnknownPaths(0);
        const group = piece.group(this.#rendering(asked, (i) => ProgramRun.of(i, scratch)));
        groups.push({ record: piece, group, people: peopleOf(asked) });
      }
    }
    this.#beyond = beyond;
    return smallGroups(groups, this.#minGroup);
  }
}

/** Whose a record is: by its own account, or where its catalog names nobody by that of what is embedded in it. */
function peopleOf([own, ...embedded]: readonly Asked[]): readonly string[] {
  if (own === undefined || own.subjects.length > 0) return own?.subjects ?? NOBODYS;
  return embedded.flatMap(({ verdict, subjects }) => (verdict.withheld === null ? subjects : NOBODYS));
}

/** What is looked at as one thing leaves as it is or not at all. */
function disguisedBy({ catalog, answers }: Verdict, pointer: string): readonly string[] | null {
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

const OWNERLESS: readonly string[] = ['data_subject_unknown'];

const unnamed = (catalog: Catalog): Verdict => ({
  catalog,
  answers: [],
  withheld: OWNERLESS,
  stateAnswers: [],
});
