/** Counts what is done to each value of a part, by field. Keeps paths and classes, never values. */
import type { WithheldPath } from '../../model/record.ts';
import type { Automaton } from '../fields/automaton.ts';
import {
  type Counter,
  type Action,
  DROP,
  type FieldId,
  type FrameCounter,
  type Program,
  type StateId,
} from '../formats/format.ts';
import { MAX_NESTED, textOf } from '../inner/format.ts';
import { INNER_FORMATS } from '../inner/registry.ts';
import { matcherAt } from '../inner/view.ts';
import type { Instructions } from '../fields/program.ts';
import type { Container, TreatBytes, Treated } from '../treatments/treatment.ts';
import { presentable } from '../formats/shared/presentable.ts';
import type { Scalar } from '../../model/disclosure.ts';

/** Runs that are free for reuse: their arrays are as long as the catalog, and most bodies are one record. */
const IDLE = new WeakMap<Instructions, ProgramRun[]>();
const MAX_IDLE = 64;

const NOTHING: Treated = Object.freeze({ kind: 'null' });
/** RFC 8259 §6 */
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/** The instructions for one scope, executed on one body. Every value is counted. */
export class ProgramRun implements Program, Counter {
  readonly instructions: Instructions;
  readonly counter: Counter = this;
  // plain arrays: allocating a small typed array outside the heap costs more than the counting
  readonly done: number[];
  readonly failed: number[];
  /** objects dropped because the field's line is not `whole`, by field; rarely any */
  readonly objects = new Map<number, number>();
  #unknown: UnknownPaths;
  readonly #automaton: Automaton;
  readonly #first: number;
  /** path of the scope, or of the nested document that is being disclosed */
  #prefix: string;
  /** depth of nested documents (`parse`) */
  #nested = 0;
  counts: number[] = [];
  dirty = false;
  anyFailed = false;

  /** @param unknown counts the paths that are in no catalog */
  static of(instructions: Instructions, unknown: UnknownPaths): ProgramRun {
    const idle = IDLE.get(instructions)?.pop();
    if (idle === undefined) return new ProgramRun(instructions, unknown);
    idle.#unknown = unknown;
    return idle;
  }

  /** Makes the run available for reuse. All its counts must have been taken. */
  recycle(): void {
    const idle = IDLE.get(this.instructions);
    if (idle === undefined) IDLE.set(this.instructions, [this]);
    else if (idle.length < MAX_IDLE) idle.push(this);
  }

  private constructor(instructions: Instructions, unknown: UnknownPaths) {
    this.instructions = instructions;
    this.#automaton = instructions.automaton;
    this.#first = instructions.firstField;
    this.#prefix = this.#automaton.scopes[instructions.scope]!.prefix;
    this.#unknown = unknown;
    this.done = new Array(instructions.choices.length).fill(0);
    this.failed = new Array(instructions.choices.length).fill(0);
  }

  action(field: FieldId): Action {
    return field < 0 ? DROP : ((this.instructions.actions[field - this.#first] ?? DROP) as Action);
  }

  elements(field: FieldId): boolean {
    return this.instructions.takesContainers[field - this.#first] !== 1;
  }

  treat(state: StateId, value: Scalar | Container): Treated {
    const field = this.#automaton.field(state);
    const asUnit = this.instructions.takesContainers[field - this.#first] === 1;
    if ((value.kind === 'container' || this.#automaton.through(state)) && !asUnit) {
      this.inapplicable(field);
      return 'drop';
    }
    if (value.kind === 'null') {
      this.withheld(field);
      return NOTHING;
    }
    const { parse } = this.#automaton.all[field]!.entry ?? {};
    if (parse !== undefined) return this.#parsed(parse, state, value);
    const treated = this.instructions.treat(field)(value);
    if (treated === 'drop' || (treated.kind === 'number' && !NUMBER.test(treated.text))) {
      this.inapplicable(field);
      return 'drop';
    }
    this.withheld(field);
    return treated;
  }

  /** Discloses a document within a text by the catalog lines below the field's. */
  #parsed(name: string, state: StateId, value: Scalar | Container): Treated {
    const field = this.#automaton.field(state);
    const format = INNER_FORMATS.get(name);
    if (value.kind !== 'string' || format === undefined || this.#nested >= MAX_NESTED) {
      this.inapplicable(field);
      return 'drop';
    }
    const around = this.#prefix;
    this.#nested++;
    this.#prefix = this.#automaton.pathOf(state);
    try {
      const segments = format.disclose(value.text, matcherAt(this.#automaton, state), this);
      if (segments === null) {
        this.inapplicable(field);
        return 'drop';
      }
      this.released(field);
      return {
        kind: 'string',
        text: textOf(value.text, segments),
        document: { before: value.text, segments },
      };
    } finally {
      this.#nested--;
      this.#prefix = around;
    }
  }

  bytes(state: StateId): TreatBytes | null {
    return this.instructions.bytes(state);
  }

  released(field: FieldId): void {
    this.dirty = true;
    this.done[field - this.#first]!++;
  }
  withheld(field: FieldId): void {
    this.dirty = true;
    this.done[field - this.#first]!++;
  }
  inapplicable(field: FieldId): void {
    this.dirty = true;
    this.anyFailed = true;
    this.failed[field - this.#first]!++;
  }
  notWhole(field: FieldId): void {
    this.dirty = true;
    this.objects.set(field - this.#first, (this.objects.get(field - this.#first) ?? 0) + 1);
  }
  codes(): Uint8Array {
    const codes = this.instructions.codes();
    if (this.counts.length === 0) this.counts = new Array(codes.length).fill(0);
    while (this.counts.length < codes.length) this.counts.push(0);
    return codes;
  }

  /** Adds the counts by state to the counts by field. */
  settle(): void {
    const { counts } = this;
    const { states } = this.#automaton;
    for (let id = 0; id < counts.length; id++) {
      const count = counts[id]!;
      if (count === 0) continue;
      this.done[states[id]!.field - this.#first]! += count;
      this.dirty = true;
      counts[id] = 0;
    }
  }

  unknownAt(path: string): void {
    this.#unknown.at(path);
  }

  unknown(path: () => string): void {
    this.#unknown.count(path(), 'drop', UNCATALOGUED, this.#prefix);
  }
  scopeWithheld(path: string): void {
    this.#unknown.count(path, 'drop', 'embedded_withheld', this.#prefix);
  }

  clear(): void {
    if (!this.dirty) return;
    this.done.fill(0);
    if (this.anyFailed) this.failed.fill(0);
    // clearing an empty map still allocates a new table
    if (this.objects.size > 0) this.objects.clear();
    this.anyFailed = false;
    this.dirty = false;
  }
}

/**
 * Counts paths that are in no catalog. The upstream chooses these names, so their number and length are bounded (the rest is counted under
 * `…`), and a name that looks like data (a map keyed by telephone number or e-mail address) is written as `*`.
 */
export class UnknownPaths implements FrameCounter {
  readonly #limit: number;
  #rows: UnknownRow[] = [];
  /** indexes for more than `FEW` rows: uncatalogued paths by path, the others by treatment, reason and path */
  #uncatalogued: Map<string, UnknownRow> | null = null;
  #others: Map<string, UnknownRow> | null = null;
  #overflow = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** counts an uncatalogued path that was made presentable before */
  at(path: string): void {
    const known =
      this.#uncatalogued === null
        ? rowOf(this.#rows, path, 'drop', UNCATALOGUED)
        : this.#uncatalogued.get(path);
    if (known !== undefined) known.count++;
    else this.#add({ path, do: 'drop', because: UNCATALOGUED, count: 1 });
  }

  /** counts a path with its treatment and reason */
  count(path: string, treatment: 'drop' | 'nullify', because: string, prefix = ''): void {
    const shown = presentable(path);
    const full = shown === '…' ? shown : prefix + shown;
    if (because === UNCATALOGUED && treatment === 'drop') {
      this.at(full);
      return;
    }
    const known =
      this.#others === null
        ? rowOf(this.#rows, full, treatment, because)
        : this.#others.get(keyOf(full, treatment, because));
    if (known !== undefined) known.count++;
    else this.#add({ path: full, do: treatment, because, count: 1 });
  }

  withheld(path: string, because: string): void {
    this.count(path, 'drop', because);
  }

  /** Returns the rows and resets the counts. */
  take(): WithheldPath[] {
    const rows: WithheldPath[] = this.#rows;
    if (this.#overflow > 0)
      rows.push({ path: '…', do: 'drop', because: UNCATALOGUED, count: this.#overflow });
    if (rows.length > 0) {
      this.#rows = [];
      this.#uncatalogued = null;
      this.#others = null;
      this.#overflow = 0;
    }
    return rows;
  }

  #add(row: UnknownRow): void {
    if (this.#rows.length >= this.#limit) {
      this.#overflow++;
      return;
    }
    this.#rows.push(row);
    if (this.#uncatalogued === null && this.#rows.length > FEW) {
      this.#uncatalogued = new Map();
      this.#others = new Map();
      for (const each of this.#rows) this.#index(each);
    } else this.#index(row);
  }

  #index(row: UnknownRow): void {
    if (row.because === UNCATALOGUED && row.do === 'drop') this.#uncatalogued?.set(row.path, row);
    else this.#others?.set(keyOf(row.path, row.do, row.because), row);
  }
}

/** up to this number of rows an array is searched faster than a map */
const FEW = 8;

function rowOf(
  rows: readonly UnknownRow[],
  path: string,
  treatment: string,
  because: string,
): UnknownRow | undefined {
  for (const row of rows)
    if (row.path === path && row.because === because && row.do === treatment) return row;
  return undefined;
}

const keyOf = (path: string, treatment: string, because: string): string => `${treatment} ${because} ${path}`;

const UNCATALOGUED = 'uncatalogued';

interface UnknownRow {
  readonly path: string;
  readonly do: 'drop' | 'nullify';
  readonly because: string;
  count: number;
}
