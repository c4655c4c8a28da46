/**
 * One body on its way: pieces in, parts out. Looks up consents a batch at a time, asks the policy once a distinct state, renders every
 * piece in its order and keeps the account.
 */
import { SluiceError } from '../errors.ts';
import type { DisclosureAnswer } from '../model/answers.ts';
import { type DataSubjectState, NO_STATE } from '../model/consent.ts';
import type { DisclosurePart, DisclosurePlan } from '../model/disclosure.ts';
import { Running, UnknownPaths } from './account.ts';
import { Answers, type Asked } from './answers.ts';
import type { Automaton } from './automaton.ts';
import type { CatalogCache, CompiledCatalog } from './catalogs.ts';
import type { DigestCache } from './digest.ts';
import type {
  BodyReader,
  CountPiece,
  DisclosureLimits,
  Format,
  Piece,
  Program,
  RecordPiece,
  Rendering,
} from './formats/format.ts';
import { groupCounts } from './groups.ts';
import { Collected } from './output.ts';
import { type Instructions, instruct, type TreatmentSet } from './program.ts';
import { Tally, takeSummary } from './summary.ts';
import type { Treatment, TreatmentKeys } from './treatments/treatment.ts';

export interface Shared {
  readonly keys: TreatmentKeys;
  readonly limits: DisclosureLimits;
  readonly treatments: ReadonlyMap<string, Treatment>;
  readonly catalogs: CatalogCache;
  readonly digests: Pick<DigestCache, 'of'>;
}

type States = ReadonlyMap<string, DataSubjectState>;
const NO_STATES: States = new Map();

export class Session {
  readonly #plan: DisclosurePlan;
  readonly #shared: Shared;
  readonly #compiled: CompiledCatalog;
  readonly #reader: BodyReader;
  readonly #answers: Answers;
  readonly #treatments: TreatmentSet;
  readonly #out = new Collected();
  readonly #tally = new Tally();
  readonly #unknown: UnknownPaths;
  readonly #running = new Map<Instructions, Running>();
  /** instructions merged from several answers, by what they were merged from */
  readonly #merged = new Map<string, Instructions>();
  readonly #maxRecords: number;
  readonly #minGroup: number;
  /** pieces held back until the groups are counted */
  readonly #held: Piece[] = [];
  #heldBytes = 0;
  /** of the whole body */
  #released = 0;
  #withheld = 0;

  constructor(format: Format, plan: DisclosurePlan, shared: Shared) {
    this.#plan = plan;
    this.#shared = shared;
    this.#compiled = shared.catalogs.compile(plan.catalog, plan.catalogs);
    const { recipient, purpose, obligations } = plan;
    this.#treatments = {
      byName: shared.treatments,
      context: { recipient, purpose, keys: shared.keys },
    };
    this.#answers = new Answers(plan);
    this.#unknown = new UnknownPaths(shared.limits.summary_paths);
    this.#maxRecords = obligations.max_records ?? Number.POSITIVE_INFINITY;
    this.#minGroup = obligations.min_group_size ?? 1;
    this.#reader = format.open({
      matcher: this.#compiled.base,
      envelope: this.#compiled.envelope(plan.records),
      charset: plan.charset,
      options: plan.options,
      limits: shared.limits,
    });
  }

  /** something is waiting to leave, and may */
  get ready(): boolean {
    return this.#out.size > 0 && !this.#out.held;
  }

  async *push(chunk: Uint8Array): AsyncGenerator<DisclosurePart, void, void> {
    const pieces = this.#reader.push(chunk);
    if (this.#minGroup > 1) this.#hold(pieces);
    else yield* this.#process(pieces);
  }

  /** the body is over: the rest, and the last part */
  async *end(): AsyncGenerator<DisclosurePart, void, void> {
    const pieces = this.#reader.end();
    if (this.#minGroup > 1) {
      this.#hold(pieces);
      yield* this.#process(this.#held, await this.#smallGroups());
    } else yield* this.#process(pieces);
    this.#fill(false);
    yield this.take(true);
  }

  take(last: boolean): DisclosurePart {
    const chunks = this.#out.take();
    return { chunks, summary: takeSummary(this.#tally, this.#running.values(), this.#unknown), last };
  }

  #hold(pieces: readonly Piece[]): void {
    const { group_bytes } = this.#shared.limits;
    for (const piece of pieces) {
      this.#held.push(piece);
      this.#heldBytes += piece.kind === 'record' ? piece.size : 256;
    }
    if (this.#heldBytes <= group_bytes) return;
    throw new SluiceError(
      'group_size_unmet',
      `the answer must hold groups of at least ${this.#minGroup} records, and to count them it would have to be held whole, which is limited to ${group_bytes} bytes ("group_bytes"): ask for less`,
    );
  }

  async *#process(
    pieces: readonly Piece[],
    small: ReadonlySet<RecordPiece> | null = null,
  ): AsyncGenerator<DisclosurePart, void, void> {
    const { batch_records, part_bytes } = this.#shared.limits;
    for (let from = 0; from < pieces.length; from += batch_records) {
      const batch = pieces.slice(from, from + batch_records);
      const states = await this.#states(batch);
      for (const piece of batch) {
        if (piece.kind === 'record') this.#record(piece, states, small?.has(piece) === true);
        else if (piece.kind === 'count') this.#count(piece);
        else piece.render(this.#out, this.#unknown);
        if (this.#out.size < part_bytes) continue;
        if (this.#out.held && this.#out.size > this.#shared.limits.hold_bytes) this.#fill(true);
        if (this.ready) yield this.take(false);
      }
    }
  }

  /** the states of all data subjects in a batch, in one question */
  async #states(batch: readonly Piece[]): Promise<States> {
    if (this.#released >= this.#maxRecords) return NO_STATES;
    const ids = new Set<string>();
    for (const piece of batch) {
      if (piece.kind !== 'record') continue;
      for (const { scope, subjects } of piece.scopes) {
        for (const id of subjects) ids.add(id);
        if (scope < 0 && subjects.length === 0 && this.#plan.dataSubject !== null)
          ids.add(this.#plan.dataSubject);
      }
    }
    return ids.size === 0 ? NO_STATES : this.#plan.consents([...ids]);
  }

  #record(piece: RecordPiece, states: States, small: boolean): void {
    if (this.#released >= this.#maxRecords) {
      this.#withhold(piece, ['max_records']);
      return;
    }
    const asked = this.#ask(piece, states);
    const own = asked[0]!;
    const withheld = own.withheld ?? (small ? ['group_size_unmet'] : null);
    if (withheld !== null) {
      this.#withhold(piece, withheld);
      return;
    }
    piece.render(
      this.#out,
      this.#rendering(asked, (instructions) => this.#run(instructions)),
    );
    this.#released++;
    this.#tally.records++;
    for (const scope of asked) {
      if (scope.withheld !== null) continue;
      for (const id of scope.subjects) this.#tally.subjects.add(this.#shared.digests.of(id));
      for (const id of scope.consents) this.#tally.consents.add(id);
    }
  }

  #withhold(piece: RecordPiece, codes: readonly string[]): void {
    piece.render(this.#out, null);
    this.#withheld++;
    this.#tally.withhold(codes);
  }

  /** what the policy says about each scope of a record */
  #ask(piece: RecordPiece, states: States): Asked[] {
    return piece.scopes.map(({ scope, subjects, attributes }) => {
      const fallback = scope < 0 && this.#plan.dataSubject !== null ? [this.#plan.dataSubject] : [];
      const ids = subjects.length > 0 ? subjects : fallback;
      const { catalog } = scope < 0 ? this.#compiled : this.#compiled.base.scopes[scope]!;
      // A caller that can choose an answer's fields could leave out whose it is, and an objection with it.
      if (ids.length === 0 && catalog.data_subject.length > 0)
        return { catalog, subjects: ids, answers: [], withheld: ['data_subject_unknown'], consents: [] };
      const known = ids.length > 0 ? ids.map((id) => states.get(id) ?? NO_STATE) : [NO_STATE];
      return this.#answers.ask(catalog, ids, known, attributes);
    });
  }

  #rendering(asked: readonly Asked[], run: (instructions: Instructions) => Program): Rendering {
    const automaton = this.#automatonFor(asked);
    return {
      matcher: automaton,
      program: (scope, id) => {
        const { withheld, answers } = asked[scope]!;
        return withheld === null ? run(this.#instructions(automaton, id, answers)) : null;
      },
    };
  }

  #automatonFor(asked: readonly Asked[]): Automaton {
    let extra: Map<string, Set<string>> | null = null;
    for (const { catalog, answers } of asked) {
      for (const answer of answers) {
        for (const pointer of this.#compiled.extra(catalog, answer)) {
          extra ??= new Map();
          const pointers = extra.get(catalog.resource) ?? new Set();
          extra.set(catalog.resource, pointers.add(pointer));
        }
      }
    }
    return extra === null ? this.#compiled.base : this.#compiled.extended(extra);
  }

  #instructions(automaton: Automaton, scope: number, answers: readonly DisclosureAnswer[]): Instructions {
    const { catalogs } = this.#shared;
    if (answers.length === 1) return catalogs.instructions(automaton, scope, answers[0]!, this.#treatments);
    const key = JSON.stringify([
      catalogs.serialOf(automaton),
      scope,
      answers.map((a) => this.#answers.serialOf(a)),
    ]);
    let instructions = this.#merged.get(key);
    if (!instructions) {
      instructions = instruct(automaton, scope, answers, this.#treatments);
      this.#merged.set(key, instructions);
    }
    return instructions;
  }

  #run(instructions: Instructions): Running {
    let running = this.#running.get(instructions);
    if (!running) {
      running = new Running(instructions, this.#unknown);
      this.#running.set(instructions, running);
    }
    return running;
  }

  #count(piece: CountPiece): void {
    piece.begin(this.#out);
    this.#out.hole(piece);
  }

  /** @param early the counts are not known yet and cannot be waited for any longer */
  #fill(early: boolean): void {
    this.#out.fill(({ role, path }) => {
      if (!early && role === 'record_count') return this.#released;
      if (!early && this.#withheld === 0) return 'keep';
      this.#unknown.account(path, 'nullify', early ? 'count_before_records' : 'records_withheld');
      return null;
    });
  }

  /** the held records whose group is smaller than it must be */
  async #smallGroups(): Promise<ReadonlySet<RecordPiece>> {
    const records = this.#held.filter((piece) => piece.kind === 'record');
    const groups: [RecordPiece, string][] = [];
    const { batch_records } = this.#shared.limits;
    for (let from = 0; from < records.length; from += batch_records) {
      const batch = records.slice(from, from + batch_records);
      const states = await this.#states(batch);
      for (const piece of batch) {
        const asked = this.#ask(piece, states);
        if (asked[0]!.withheld !== null) continue;
        // a rehearsal: its account is thrown away
        const scratch = new UnknownPaths(0);
        groups.push([piece, piece.group(this.#rendering(asked, (i) => new Running(i, scratch)))]);
      }
    }
    return groupCounts(groups, this.#minGroup);
  }
}
