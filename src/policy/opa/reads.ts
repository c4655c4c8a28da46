/**
 * Computes which parts of `input` and `data` an entrypoint can read, from OPA's plan, the intermediate code of which OPA makes
 * WebAssembly.
 *
 * Every local of the plan has a set of paths. A member access or an iteration extends the paths by one step; passing a local to
 * a function passes its paths; any other use of a local (comparison, part of a value, argument of a built-in) reads
 * everything below its paths. An unknown statement reads everything. (`opa deps` is less precise: if `input` is passed to a
 * function, it names the whole input.) Longer than most files: the statements of the plan are one table.
 */
import type { EntrypointReads } from '../bundle/bundle.ts';
import { isObject } from '../../documents/yaml.ts';

interface Operand {
  readonly type: string;
  readonly value: unknown;
}
type Fields = { readonly [name: string]: unknown };
interface Statement {
  readonly type: string;
  readonly stmt: Fields;
}
interface Block {
  readonly stmts: readonly Statement[] | null;
}
interface Func {
  readonly name: string;
  readonly params: readonly number[];
  readonly return: number;
  readonly blocks: readonly Block[];
  readonly path?: readonly string[];
}
export interface Plan {
  readonly static: {
    readonly strings?: readonly { readonly value: string }[] | null;
    readonly builtin_funcs?: readonly { readonly name: string }[] | null;
  };
  readonly plans: { readonly plans: readonly { readonly name: string; readonly blocks: readonly Block[] }[] };
  readonly funcs: { readonly funcs: readonly Func[] };
}

/** a path as text: steps joined by NUL, the first one `input` or `data` */
type Path = string;
/** a step to an element that is not known statically */
const ANY = '\u0001';
/** last step of a path of whose value only the existence and the type are read */
const SEEN = '';
const TYPE_TESTS: ReadonlySet<string> = new Set(
  ['array', 'boolean', 'null', 'number', 'object', 'set', 'string'].map((t) => `is_${t}`).concat('type_name'),
);
type Paths = ReadonlySet<Path>;
const NOTHING: Paths = new Set();

/** limit for analysed calls; beyond it, everything counts as read */
const MAX_CONTEXTS = 20_000;

const NONDETERMINISTIC: readonly string[] = ['time.now_ns', 'rand.intn', 'uuid.rfc4122'];
const TIME = ['context', 'time'];
const GRANTS: Path = ['input', 'context', 'grants'].join('\0');
const CONSENT_DATES = ['from', 'until'].map((name) => ['data_subject', 'consents', ANY, name]);

const EVERYTHING: EntrypointReads = {
  input: [[]],
  data: [[]],
  nondeterministic: NONDETERMINISTIC,
  reads_time: true,
  consent_dates: true,
};

export const readsOfPlan = (plan: Plan, entrypoint: string): EntrypointReads => {
  const entry = plan.plans.plans.find((p) => p.name === entrypoint);
  if (entry === undefined) return EVERYTHING;
  const analysed = (granted: boolean): Analysis | null => {
    const analysis = new Analysis(plan, granted);
    try {
      analysis.run(entry.blocks, [is('input'), is('data')], null);
      return analysis;
    } catch (e) {
      if (e instanceof Unknown) return null;
      throw e;
    }
  };
  const analysis = analysed(true);
  if (analysis === null) return EVERYTHING;
  const reads = readsOf(analysis);
  // Almost no request has a grant. Without one, what grants are compared with is not read.
  const less = analysed(false);
  if (less === null || less.mocked) return reads;
  const { input, reads_time } = readsOf(less);
  return JSON.stringify(input) === JSON.stringify(reads.input)
    ? reads
    : { ...reads, without_grants: { input, reads_time } };
};

const readsOf = (analysis: Analysis): EntrypointReads => {
  const found = (root: string): string[][] =>
    [...analysis.read]
      .map((p) => p.split('\0'))
      .filter((p) => p[0] === root)
      .map((p) => p.slice(1));
  const input = shortest(found('input').map(known));
  const nondeterministic = NONDETERMINISTIC.filter((n) => analysis.called.has(n));
  return {
    input,
    data: shortest(found('data').map(known)),
    nondeterministic,
    reads_time: nondeterministic.includes('time.now_ns') || input.some((p) => meets(p, TIME)),
    consent_dates: found('input').some((p) =>
      CONSENT_DATES.some((d) => (isMark(p) ? isPrefix(d, p) : meets(p, d))),
    ),
  };
};

const meets = (a: readonly string[], b: readonly string[]): boolean => isPrefix(a, b) || isPrefix(b, a);

/** the path up to the first step that is not known statically; everything below counts as read */
const known = (path: readonly string[]): readonly string[] => {
  const end = path.indexOf(ANY);
  return end < 0 ? path : path.slice(0, end);
};

class Unknown extends Error {}

/** What a local may be: its paths, and its strings if it is an array literal of the policy. */
interface Value {
  readonly paths: Paths;
  readonly list: readonly string[] | null;
  /** the local is exactly the value at its only path */
  readonly exact: boolean;
}
const NEITHER: Value = { paths: NOTHING, list: null, exact: false };
const standsFor = (paths: Paths): Value => ({ paths, list: null, exact: false });
const is = (path: Path): Value => ({ paths: new Set([path]), list: null, exact: true });

const join = (a: Value | undefined, b: Value | undefined): Value => {
  if (a === undefined || b === undefined || a === b) return a ?? b ?? NEITHER;
  const same = a.list !== null && b.list !== null && a.list.join('\0') === b.list.join('\0');
  const paths = b.paths.size === 0 ? a.paths : new Set([...a.paths, ...b.paths]);
  return { paths, list: same ? a.list : null, exact: a.exact && b.exact && paths.size === 1 };
};

/**
 * Locals at one point of a function. An assignment replaces the value in straight-line code. A block can be left at any point, so
 * after it a local may have its value from before the block or any value assigned inside.
 */
class Locals {
  readonly #now: Map<number, Value>;
  readonly #given = new Map<number, Value>();
  readonly returned: Set<Path>;

  constructor(now: ReadonlyMap<number, Value>, returned: Set<Path>) {
    this.#now = new Map(now);
    this.returned = returned;
  }

  get(local: number): Value {
    return this.#now.get(local) ?? NEITHER;
  }

  set(local: number, value: Value): void {
    this.#now.set(local, value);
    this.#given.set(local, join(this.#given.get(local), value));
  }

  inner(): Locals {
    return new Locals(this.#now, this.returned);
  }

  /** @returns whether anything changed */
  leave(inner: Locals): boolean {
    let grew = false;
    for (const [local, value] of inner.#given) {
      const before = this.get(local);
      const after = join(before, value);
      grew ||=
        after.paths.size > before.paths.size || after.list !== before.list || after.exact !== before.exact;
      this.set(local, after);
    }
    return grew;
  }
}

class Analysis {
  readonly read = new Set<Path>();
  readonly called = new Set<string>();
  /** a `with` statement replaces parts of the input */
  mocked = false;
  readonly #granted: boolean;
  readonly #strings: readonly string[];
  readonly #functions: ReadonlyMap<string, Func>;
  readonly #answers = new Map<string, Paths>();

  /** @param granted false: `input.context.grants` is assumed to be empty, so that loops over it are skipped */
  constructor(plan: Plan, granted: boolean) {
    this.#granted = granted;
    this.#strings = (plan.static.strings ?? []).map((s) => s.value);
    this.#functions = new Map(plan.funcs.funcs.map((f) => [f.name, f]));
  }

  run(blocks: readonly Block[], args: readonly Value[], func: Func | null): Paths {
    const given = new Map(args.map((value, i) => [func === null ? i : func.params[i]!, value]));
    const locals = new Locals(given, new Set());
    for (const block of blocks) this.#block(block, locals);
    return locals.returned;
  }

  #block(block: Block, locals: Locals): boolean {
    const inner = locals.inner();
    for (const s of block.stmts ?? []) this.#statement(s, inner);
    return locals.leave(inner);
  }

  #statement({ type, stmt }: Statement, locals: Locals): void {
    const held = (value: unknown): Value => {
      const local = typeof value === 'number' ? value : isLocal(value) ? value.value : null;
      return local === null ? NEITHER : locals.get(local);
    };
    const of = (value: unknown): Paths => held(value).paths;
    const assign = (value: Value): void => locals.set(stmt['target'] as number, value);
    const readAll = (...values: unknown[]): void => {
      for (const value of values) for (const p of of(value)) this.read.add(p);
    };
    switch (type) {
      case 'AssignVarStmt':
      case 'AssignVarOnceStmt': {
        const source = stmt['source'];
        assign(isLocal(source) ? locals.get(source.value) : NEITHER);
        return;
      }
      case 'DotStmt': {
        const key = stmt['key'] as Operand;
        if (key.type === 'string_index')
          assign({
            paths: this.#below(of(stmt['source']), [this.#text(key)]),
            list: null,
            exact: held(stmt['source']).exact,
          });
        else {
          readAll(stmt['source'], key);
          assign(NEITHER);
        }
        return;
      }
      case 'CallStmt':
        locals.set(stmt['result'] as number, standsFor(this.#call(stmt, held, readAll)));
        return;
      case 'CallDynamicStmt':
        readAll(...(stmt['args'] as unknown[]), ...(stmt['path'] as unknown[]));
        locals.set(stmt['result'] as number, NEITHER);
        return;
      case 'ReturnLocalStmt':
        for (const p of of(stmt['source'])) locals.returned.add(p);
        return;
      case 'BlockStmt':
        for (const block of (stmt['blocks'] as Block[] | null) ?? []) this.#block(block, locals);
        return;
      case 'NotStmt':
        this.#block(stmt['block'] as Block, locals);
        return;
      case 'ScanStmt':
        if (!this.#granted && isGrants(held(stmt['source']))) return;
        locals.set(stmt['key'] as number, NEITHER);
        locals.set(stmt['value'] as number, standsFor(this.#below(of(stmt['source']), [ANY])));
        // Repeat until nothing changes, since an iteration may start with values of an earlier one.
        while (this.#block(stmt['block'] as Block, locals));
        return;
      case 'WithStmt':
        this.mocked = true;
        readAll(stmt['value']);
        this.#block(stmt['block'] as Block, locals);
        return;
      case 'EqualStmt':
      case 'NotEqualStmt':
        readAll(stmt['a'], stmt['b']);
        return;
      case 'ObjectMergeStmt':
        readAll(stmt['a'], stmt['b']);
        assign(NEITHER);
        return;
      case 'ObjectInsertStmt':
      case 'ObjectInsertOnceStmt':
        readAll(stmt['key'], stmt['value']);
        return;
      case 'ArrayAppendStmt': {
        readAll(stmt['value']);
        const array = stmt['array'] as number;
        const { list, paths, exact } = locals.get(array);
        const item = stmt['value'] as Operand;
        const text = item.type === 'string_index' ? this.#text(item) : null;
        locals.set(array, { paths, list: list === null || text === null ? null : [...list, text], exact });
        return;
      }
      case 'SetAddStmt':
      case 'ResultSetAddStmt':
        readAll(stmt['value']);
        return;
      case 'IsArrayStmt':
      case 'IsObjectStmt':
      case 'IsSetStmt':
        this.#typeOf(of(stmt['source']));
        return;
      case 'LenStmt':
        readAll(stmt['source']);
        assign(NEITHER);
        return;
      case 'MakeArrayStmt':
        assign({ paths: NOTHING, list: [], exact: false });
        return;
      case 'AssignIntStmt':
      case 'MakeNullStmt':
      case 'MakeNumberIntStmt':
      case 'MakeNumberRefStmt':
      case 'MakeObjectStmt':
      case 'MakeSetStmt':
      case 'ResetLocalStmt':
        assign(NEITHER);
        return;
      case 'BreakStmt':
      case 'IsDefinedStmt':
      case 'IsUndefinedStmt':
      case 'NopStmt':
        return;
      default:
        throw new Unknown();
    }
  }

  #text(key: Operand): string {
    const text = this.#strings[key.value as number];
    // An empty step, or one that contains the separator, would be ambiguous.
    if (text === undefined || text === '' || /^\x01|\0/.test(text)) throw new Unknown();
    return text;
  }

  /** extends the paths by steps; the existence of the values counts as read in any case */
  #below(paths: Paths, steps: readonly string[]): Paths {
    const below = [...paths].map((p) => [p, ...steps].join('\0'));
    for (const p of below) this.read.add(`${p}\0${SEEN}`);
    return new Set(below);
  }

  #typeOf(paths: Paths): void {
    for (const p of paths) this.read.add(`${p}\0${SEEN}`);
  }

  #call(stmt: Fields, held: (v: unknown) => Value, readAll: (...v: unknown[]) => void): Paths {
    const name = stmt['func'] as string;
    const args = (stmt['args'] as Operand[] | null) ?? [];
    const func = this.#functions.get(name);
    if (func === undefined) {
      this.called.add(name);
      const [from, key, otherwise] = args;
      const steps =
        name !== 'object.get' || key === undefined
          ? null
          : key.type === 'string_index'
            ? [this.#text(key)]
            : held(key).list;
      if (steps !== null) return new Set([...this.#below(held(from).paths, steps), ...held(otherwise).paths]);
      if (TYPE_TESTS.has(name) && from !== undefined) this.#typeOf(held(from).paths);
      else readAll(...args);
      return NOTHING;
    }
    const given = args.map(held).map(({ paths, exact }) => ({ paths, list: null, exact }));
    const context = JSON.stringify([name, ...given.map(({ paths, exact }) => [exact, ...[...paths].sort()])]);
    const known = this.#answers.get(context);
    if (known !== undefined) return known;
    if (this.#answers.size >= MAX_CONTEXTS) throw new Unknown();
    this.#answers.set(context, NOTHING);
    const answer = this.run(func.blocks, given, func);
    this.#answers.set(context, answer);
    return answer;
  }
}

const isGrants = ({ exact, paths }: Value): boolean => exact && paths.has(GRANTS);

const isLocal = (value: unknown): value is { readonly value: number } =>
  isObject(value) && value['type'] === 'local' && typeof value['value'] === 'number';

const isPrefix = (a: readonly string[], b: readonly string[]): boolean =>
  a.length <= b.length && a.every((s, i) => s === b[i]);

const isMark = (path: readonly string[]): boolean => path.at(-1) === SEEN;

/**
 * The paths without those that lie below another one, sorted. Existence and type need no path of their own if something
 * below is read: the cache key then says where a path ends, and at a value of what type.
 */
const shortest = (found: readonly (readonly string[])[]): string[][] => {
  const paths = found.filter((p) => !isMark(p));
  for (const mark of found.filter(isMark).sort((a, b) => b.length - a.length)) {
    const path = mark.slice(0, -1);
    if (!paths.some((p) => meets(p, path))) paths.push(path);
  }
  return paths
    .filter((p, i) => !paths.some((q, j) => isPrefix(q, p) && (q.length < p.length || j < i)))
    .map((p) => [...p])
    .sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
};
