/**
 * A catalog, with the catalogs of its embedded resources, compiled to an automaton over names and positions. A state is the set of catalog
 * paths that are still possible at a place, so that overlapping names, positions, selectors and `*` are followed together. States are
 * created when first reached and kept. Their number is bounded by the catalog, not by the data: every name that the catalog does not have
 * leads to the same state. Longer than most: the states and the steps between them belong together.
 *
 * Precedence: the deepest path for the value or a container of it; of equally deep ones the more specific (`Trie`); of equally specific ones
 * an embedded resource, then the higher grade. A path covers the value and the elements of arrays, and members of objects only if it is
 * `whole`. A member that the winning path does not cover is covered by none.
 */
import { SluiceError } from '../../errors.ts';
import { type Catalog, classOf, type FieldEntry, type Variants } from '../../model/catalog.ts';
import type { FieldId, KeyLine, Mark, Matcher, StateId, Transitions } from '../formats/format.ts';
import type { Want } from './pointer.ts';
import { escapeToken, KEY, KEY_POINTER, parsePointer } from './pointer.ts';
import { childrenOf, RANK, Trie, type TrieNode } from './trie.ts';

export interface Field {
  /** in the catalog of its resource */
  readonly pointer: string;
  /** from the record's root, through embedded resources */
  readonly path: string;
  readonly entry: FieldEntry | null;
  /** null: named by an answer where no catalog has an entry */
  readonly cls: string | null;
  /** the field whose treatment applies if the answer does not name this one; -1: none */
  readonly base: FieldId;
  /** an embedded resource, part of which an answer names: it can only be dropped */
  readonly closed: boolean;
  /** covers objects too, with all their members */
  readonly whole: boolean;
}

/** A place of a resource: the record itself (0), or an embedded resource. */
export interface Scope {
  readonly catalog: Catalog;
  readonly prefix: string;
  readonly trie: Trie;
  /** ids of its fields are firstField … firstField + fieldCount - 1 */
  readonly firstField: number;
  readonly fieldCount: number;
  readonly parent: number;
  /** identifies the embedding, so that a resource that embeds itself reuses its scope */
  readonly key: string;
  root: StateId;
}

/** A branch of a catalog that is still possible. `up`: how many scopes outward the catalog is (0: the innermost). */
interface Branch {
  readonly node: TrieNode;
  readonly up: number;
}

interface Condition {
  /** it selects the record type, not an element of a list */
  readonly typed?: true;
  readonly wants: readonly Want[];
  readonly branch: Branch;
}

/** The conditions of a state, indexed by first key and value: a catalog may have hundreds of them for one list of name/value pairs. */
interface Selectors {
  /** all keys of the conditions */
  readonly keys: readonly string[];
  /** for each key, the conditions with it as their first key, by value */
  readonly wanted: readonly ReadonlyMap<string, readonly Condition[]>[];
  /** for each key, all values of the conditions */
  readonly values: readonly ReadonlySet<string>[];
}

/** A selector and what it selects, for the guard, which checks more than `select` does. */
export interface Pick {
  readonly wants: readonly Want[];
  /** pointer of the element, as the catalog spells it */
  readonly pointer: string;
  /** names of the members with catalog lines at or below them */
  readonly members: readonly string[];
}

export interface State {
  readonly id: StateId;
  readonly scope: number;
  readonly branches: readonly Branch[];
  readonly conditions: readonly Condition[];
  readonly field: FieldId;
  /** the field by the catalog alone, without pointers that answers added */
  readonly plain: FieldId;
  readonly through: boolean;
  /** the scope that begins here; -1: none */
  readonly embeds: number;
  readonly inner: boolean;
  readonly marked: boolean;
  readonly positional: boolean;
  readonly marks: readonly Mark[];
  /** branches that mark a data subject here, or on the array around this element */
  readonly subjects: readonly Branch[];
  readonly names: Map<string, StateId>;
  readonly positions: Map<string, StateId>;
  otherName: StateId;
  otherItem: StateId;
}

/** Far more than a real catalog needs; overlapping wildcards that exceed it are a mistake. */
const MAX_STATES = 100_000;
/** bound for the combinations of selector values at one place that are created in advance */
const MAX_OUTCOMES = 4096;

export class Automaton implements Matcher {
  readonly catalog: Catalog;
  readonly states: State[] = [];
  readonly scopes: Scope[] = [];
  readonly all: Field[] = [];
  readonly root: StateId;
  readonly nothing: StateId;
  readonly quasi: readonly FieldId[];
  readonly #catalogs: ReadonlyMap<string, Catalog>;
  readonly #extra: ReadonlyMap<string, readonly string[]>;
  readonly #tries = new Map<Catalog, Trie>();
  readonly #fields = new Map<string, FieldId>();
  readonly #interned = new Map<string, StateId>();
  readonly #scopeOf = new Map<string, number>();
  readonly #selectors = new Map<StateId, Selectors>();

  /**
   * @param extra pointers that an answer names in addition to the catalog's, by resource
   * @throws SluiceError `catalog_invalid`, `catalog_unknown` (an embedded resource without a catalog)
   */
  constructor(
    catalog: Catalog,
    catalogs: ReadonlyMap<string, Catalog>,
    extra: ReadonlyMap<string, readonly string[]> = new Map(),
  ) {
    this.catalog = catalog;
    this.#catalogs = catalogs;
    this.#extra = extra;
    this.#openScope(catalog, '', -1, [], '');
    this.root = this.scopes[0]!.root;
    this.nothing = this.#state(0, [], [], NO_FIELD, false);
    const fields = this.all.map((_, id) => id);
    this.quasi = fields.filter((id) => this.isQuasi(id));
  }

  isQuasi(field: FieldId): boolean {
    return field >= 0 && this.all[field]!.entry?.quasi_identifier === true;
  }

  get fields(): number {
    return this.all.length;
  }

  step(from: StateId, name: string, ...aliases: string[]): StateId {
    const state = this.states[from]!;
    // an alias without a path from here changes nothing
    if (aliases.length > 0 && aliases.some((alias) => state.names.has(alias)))
      return this.#next(state, [name, ...aliases], 'name');
    const known = state.names.get(name);
    if (known !== undefined) return known < 0 ? this.#addStep(state, state.names, name, 'name') : known;
    if (state.otherName < 0) state.otherName = this.#next(state, [], 'name');
    return state.otherName;
  }

  begin(name: string | null): StateId {
    if (name === null || this.catalog.variants?.by !== KEY_POINTER) return this.root;
    if (!Object.hasOwn(this.catalog.variants.of, name)) return this.nothing;
    return this.select(this.root, (key) => (key === KEY ? name : undefined));
  }

  key(scope: number): KeyLine | null {
    const node = this.scopes[scope]!.trie.root.key;
    if (node === null) return null;
    return {
      field: node.naming === null ? -1 : this.#fieldOf(scope, node, -1),
      mark: markOf({ node, up: 0 }),
    };
  }

  get embedsByKey(): boolean {
    this.#embedsByKey ??= this.scopes.some((_, scope) => scope > 0 && this.key(scope) !== null);
    return this.#embedsByKey;
  }
  #embedsByKey: boolean | null = null;

  isRecord(scope: number): boolean {
    return this.scopes[scope]!.parent === 0 && this.catalog.variants !== undefined;
  }

  item(from: StateId, index: number): StateId {
    const state = this.states[from]!;
    if (state.positional) {
      const position = String(index);
      const known = state.positions.get(position);
      if (known !== undefined)
        return known < 0 ? this.#addStep(state, state.positions, position, 'item') : known;
    }
    if (state.otherItem < 0) state.otherItem = this.#next(state, [], 'item');
    return state.otherItem;
  }

  selectors(id: StateId): boolean {
    return this.states[id]!.conditions.length > 0;
  }

  selectorKeys(id: StateId): readonly string[] {
    return this.#selectorsOf(id).keys;
  }

  select(id: StateId, sibling: (key: string) => string | undefined): StateId {
    const state = this.states[id]!;
    if (state.conditions.length === 0) return id;
    const { keys, wanted } = this.#selectorsOf(id);
    const met: Branch[] = [];
    for (const [n, key] of keys.entries()) {
      const value = sibling(key);
      if (value === undefined) continue;
      for (const { wants, branch } of wanted[n]!.get(value) ?? [])
        if (wants.every((want) => sibling(want.key) === want.value)) met.push(branch);
    }
    // `#state` derives the field again from the branches
    return this.#state(state.scope, [...state.branches, ...met], [], state, state.through, state.subjects);
  }

  /** The selectors of the record's own catalog that may match at a state. */
  picks(id: StateId): readonly Pick[] {
    const own = this.states[id]!.conditions.filter(({ branch, typed }) => branch.up === 0 && typed !== true);
    return own.map(({ wants, branch }) => ({
      wants,
      pointer: branch.node.pointer,
      members: [...branch.node.exact.keys()],
    }));
  }

  #selectorsOf(id: StateId): Selectors {
    const known = this.#selectors.get(id);
    if (known !== undefined) return known;
    const byKey = new Map<string, { wanted: Map<string, Condition[]>; values: Set<string> }>();
    for (const condition of this.states[id]!.conditions)
      for (const [n, { key, value }] of condition.wants.entries()) {
        const at = byKey.get(key) ?? { wanted: new Map<string, Condition[]>(), values: new Set<string>() };
        byKey.set(key, at);
        at.values.add(value);
        if (n > 0) continue;
        const same = at.wanted.get(value);
        if (same) same.push(condition);
        else at.wanted.set(value, [condition]);
      }
    const selectors = {
      keys: [...byKey.keys()],
      wanted: [...byKey.values()].map((at) => at.wanted),
      values: [...byKey.values()].map((at) => at.values),
    };
    this.#selectors.set(id, selectors);
    return selectors;
  }

  /**
   * Creates the states that a state's selectors lead to, since a state that is created later makes the JSON scanner rebuild its tables: for all
   * combinations of values or, if there are too many, for each value alone.
   */
  #settleSelectors(id: StateId): void {
    const { keys, values } = this.#selectorsOf(id);
    let outcomes: readonly (readonly [string, string][])[] = [[]];
    const together = values.reduce((product, of) => product * (of.size + 1), 1);
    for (const [n, key] of keys.entries()) {
      const alone = [...values[n]!].map((value): [string, string] => [key, value]);
      outcomes =
        together <= MAX_OUTCOMES
          ? outcomes.flatMap((others) => [others, ...alone.map((one) => [...others, one])])
          : [...outcomes, ...alone.map((one) => [one])];
    }
    if (keys.length === 0) return;
    for (const outcome of outcomes) {
      const siblings = new Map(outcome);
      this.select(id, (key) => siblings.get(key));
    }
  }

  field(id: StateId): FieldId {
    return this.states[id]!.field;
  }
  inner(id: StateId): boolean {
    return this.states[id]!.inner;
  }
  any(id: StateId): boolean {
    return this.states[id]!.branches.some(({ node }) => node.rank.endsWith(RANK.any));
  }
  marked(id: StateId): boolean {
    return this.states[id]!.marked;
  }
  through(id: StateId): boolean {
    return this.states[id]!.through;
  }
  whole(id: StateId): boolean {
    return this.#isWhole(this.states[id]!.field);
  }
  positional(id: StateId): boolean {
    return this.states[id]!.positional;
  }
  scope(id: StateId): number {
    return this.states[id]!.embeds;
  }
  entry(scope: number): StateId {
    return this.scopes[scope]!.root;
  }
  marks(id: StateId): readonly Mark[] {
    return this.states[id]!.marks;
  }
  path(field: FieldId): string {
    return this.all[field]!.path;
  }

  pointer(id: StateId): string {
    const nodes = this.states[id]!.branches.filter((b) => b.up === 0).map((b) => b.node);
    return nodes.sort((a, b) => (a.rank < b.rank ? 1 : -1))[0]?.pointer ?? '';
  }

  pathOf(id: StateId): string {
    return this.scopes[this.states[id]!.scope]!.prefix + this.pointer(id);
  }

  transitions(): readonly Transitions[] {
    this.settle();
    return this.states;
  }

  /** Creates every state that names, positions and selectors lead to, as far as `MAX_OUTCOMES` allows. */
  settle(): void {
    // `states` grows while this runs
    for (let id = 0; id < this.states.length; id++) {
      for (const name of [...this.states[id]!.names.keys()]) this.step(id, name);
      for (const position of [...this.states[id]!.positions.keys()]) {
        const known = this.states[id]!.positions.get(position)!;
        if (known < 0) this.#addStep(this.states[id]!, this.states[id]!.positions, position, 'item');
      }
      const state = this.states[id]!;
      if (state.otherName < 0) state.otherName = this.#next(state, [], 'name');
      if (state.otherItem < 0) state.otherItem = this.#next(state, [], 'item');
      if (state.embeds >= 0) this.entry(state.embeds);
      this.#settleSelectors(id);
    }
  }

  #addStep(state: State, steps: Map<string, StateId>, name: string, kind: 'name' | 'item'): StateId {
    const next = this.#next(state, [name], kind);
    steps.set(name, next);
    return next;
  }

  #next(state: State, names: readonly string[], kind: 'name' | 'item'): StateId {
    const branches: Branch[] = [];
    const conditions: Condition[] = [];
    for (const { node, up } of state.branches) {
      for (const name of names) {
        const exact = node.exact.get(name);
        if (exact) branches.push({ node: exact, up });
      }
      if (node.any) branches.push({ node: node.any, up });
      for (const { wants, node: child } of node.selectors.values())
        conditions.push({ wants, branch: { node: child, up } });
    }
    const around =
      kind === 'item'
        ? state
        : {
            field: this.#isWhole(state.field) ? state.field : -1,
            plain: this.#isWhole(state.plain) ? state.plain : -1,
          };
    const through = around.field >= 0 && (state.through || kind === 'name');
    const listed = kind === 'item' ? state.subjects : [];
    for (const branch of branches) conditions.push(...variantsAt(branch));
    return this.#state(state.scope, branches, conditions, around, through, listed);
  }

  #isWhole(field: FieldId): boolean {
    return field >= 0 && this.all[field]!.whole;
  }

  /**
   * Interns the state for a set of branches and what is inherited.
   * @param listed branches that mark a data subject on the array around this element: each scalar in it is an id
   */
  #state(
    scope: number,
    branches: readonly Branch[],
    conditions: readonly Condition[],
    around: { readonly field: FieldId; readonly plain: FieldId },
    through: boolean,
    listed: readonly Branch[] = [],
  ): StateId {
    const local = branches.filter((b) => b.up === 0 && b.node.naming !== null).map((b) => b.node);
    const own = strongest(local);
    const catalogued = strongest(local.filter((node) => !isAdded(node)));
    const embedded = own?.naming?.kind === 'embedded' ? own.naming.resource : null;
    const plain = catalogued === null ? around.plain : this.#fieldOf(scope, catalogued, -1);
    const field = own === null ? around.field : this.#fieldOf(scope, own, plain);
    const key = [
      scope,
      ids(branches),
      ids(conditions.map((c) => c.branch)),
      field,
      plain,
      own === null && through && field >= 0 ? 't' : '',
      ids(listed),
    ].join('|');
    const known = this.#interned.get(key);
    if (known !== undefined) return known;
    if (this.states.length >= MAX_STATES) {
      throw new SluiceError(
        'catalog_invalid',
        `the paths of catalog ${this.catalog.resource} overlap too much`,
      );
    }
    const id = this.states.length;
    this.#interned.set(key, id);
    // the branches of conditions do not count before `select` resolves them
    const below = branches.filter((b) => b.up === 0).map((b) => b.node);
    const marks = branches.filter((b) => isMarked(b.node));
    const inherited = listed.filter((b) => !marks.some((own) => own.node === b.node && own.up === b.up));
    const subjects = [...marks.filter((b) => b.node.subject), ...inherited];
    const state: State = {
      id,
      scope,
      branches,
      conditions,
      field,
      plain,
      through: own === null && through && field >= 0,
      embeds: -1,
      inner: embedded === null && below.some((node) => hasBelow(node, isNamed)),
      // an array of ids is walked into
      marked: subjects.length > 0 || branches.some((b) => hasBelow(b.node, isMarked)),
      positional: branches.some((b) => [...b.node.exact.keys()].some((name) => /^(0|[1-9]\d*)$/.test(name))),
      marks: [...marks.map(markOf), ...inherited.map(subjectOf)],
      subjects,
      names: new Map(),
      positions: new Map(),
      otherName: -1,
      otherItem: -1,
    };
    for (const { node } of branches) {
      for (const name of node.exact.keys()) {
        state.names.set(name, -1);
        state.positions.set(name, -1);
      }
    }
    this.states.push(state);
    if (embedded !== null)
      this.states[id] = { ...state, embeds: this.#embed(scope, own!, embedded, branches) };
    return id;
  }

  #embed(parent: number, node: TrieNode, resource: string, branches: readonly Branch[]): number {
    const outer = branches
      .filter((b) => hasBelow(b.node, isMarked))
      .map((b) => ({ node: b.node, up: b.up + 1 }));
    const key = `${this.scopes[parent]!.catalog.resource}|${node.id}|${ids(outer)}`;
    for (let at = parent; at >= 0; at = this.scopes[at]!.parent) if (this.scopes[at]!.key === key) return at;
    const known = this.#scopeOf.get(`${parent}|${key}`);
    if (known !== undefined) return known;
    const catalog = this.#catalogs.get(resource);
    if (!catalog) {
      throw new SluiceError('catalog_unknown', {
        message: `catalog ${this.catalog.resource} embeds the resource ${resource}, which has no catalog`,
        paths: [node.pointer],
      });
    }
    const scope = this.#openScope(catalog, this.scopes[parent]!.prefix + node.pointer, parent, outer, key);
    this.#scopeOf.set(`${parent}|${key}`, scope);
    return scope;
  }

  #openScope(
    catalog: Catalog,
    prefix: string,
    parent: number,
    outer: readonly Branch[],
    key: string,
  ): number {
    const trie = this.#trie(catalog);
    const id = this.scopes.length;
    const firstField = this.all.length;
    const named = nodesBelow(trie.root).filter((node) => node.naming?.kind === 'field');
    const add = (node: TrieNode, key: string, field: Omit<Field, 'pointer' | 'path'>) => {
      this.#fields.set(key, this.all.length);
      this.all.push({ pointer: node.pointer, path: prefix + node.pointer, ...field });
    };
    for (const node of named) {
      const entry = entryOf(node);
      if (entry !== null)
        add(node, fieldKey(id, node, -1), {
          entry,
          cls: classOf(entry),
          base: -1,
          closed: false,
          whole: entry.whole === true,
        });
    }
    const bases = this.all.slice(firstField).map((field, n) => ({ ...field, id: firstField + n }));
    for (const node of named) {
      if (entryOf(node) !== null) continue;
      const closed = embeds(catalog, trie, node);
      add(node, fieldKey(id, node, -1), { entry: null, cls: null, base: -1, closed, whole: false });
      // the field that it falls back to depends on the place: one field for each possibility
      if (isAdded(node) && !closed) {
        for (const base of bases)
          add(node, fieldKey(id, node, base.id), {
            entry: base.entry,
            cls: base.cls,
            base: base.id,
            closed: false,
            whole: base.whole,
          });
      }
    }
    const fieldCount = this.all.length - firstField;
    this.scopes.push({
      catalog,
      prefix,
      trie,
      firstField,
      fieldCount,
      parent,
      key,
      root: -1,
    });
    const start = { node: trie.root, up: 0 };
    this.scopes[id]!.root = this.#state(id, [start, ...outer], variantsAt(start), NO_FIELD, false);
    return id;
  }

  #fieldOf(scope: number, node: TrieNode, plain: FieldId): FieldId {
    if (node.naming?.kind === 'embedded') return -1;
    const base = isAdded(node) ? plain : -1;
    return this.#fields.get(fieldKey(scope, node, base)) ?? this.#fields.get(fieldKey(scope, node, -1))!;
  }

  #trie(catalog: Catalog): Trie {
    const known = this.#tries.get(catalog);
    if (known) return known;
    const trie = new Trie();
    for (const [pointer, entry] of Object.entries(catalog.fields)) {
      if (!('resource' in entry)) trie.at(pointer).naming = { kind: 'field', entry };
      else {
        const variants = this.#catalogs.get(entry.resource)?.variants;
        if (variants === undefined) trie.at(pointer).naming = { kind: 'embedded', resource: entry.resource };
        else addVariants(trie, pointer, variants);
      }
    }
    if (catalog.variants !== undefined) addVariants(trie, '', catalog.variants);
    for (const node of nodesBelow(trie.root)) {
      if (node.naming?.kind !== 'embedded') continue;
      if (!hasBelow(node, (n) => n.naming !== null)) continue;
      throw new SluiceError('catalog_invalid', {
        message: `catalog ${catalog.resource} has paths below ${node.pointer}, which is a resource with a catalog of its own: they belong there`,
        paths: [node.pointer],
      });
    }
    for (const pointer of this.#extra.get(catalog.resource) ?? []) {
      const node = trie.at(pointer);
      node.variants.length = 0;
      if (node.naming?.kind !== 'field') node.naming = { kind: 'field', entry: null };
    }
    for (const node of nodesBelow(trie.root)) {
      const isResource = node.naming?.kind === 'embedded' || (node !== trie.root && node.variants.length > 0);
      if (!isResource || !hasBelow(node, (n) => n.naming !== null)) continue;
      node.variants.length = 0;
      node.naming = { kind: 'field', entry: null };
      for (const below of nodesBelow(node)) if (below !== node) below.naming = null;
    }
    for (const pointer of catalog.data_subject) trie.at(pointer).subject = true;
    for (const place of catalog.subject_places ?? []) trie.at(place.at).places.push(place);
    for (const [name, pointer] of Object.entries(catalog.attributes)) trie.at(pointer).attributes.push(name);
    this.#tries.set(catalog, trie);
    return trie;
  }
}

const variantsAt = ({ node, up }: Branch): Condition[] =>
  node.variants.map((variant) => ({
    wants: [variant.want],
    branch: { node: variant.node, up },
    typed: true,
  }));

/** whether a field or a resource is at the node */
const isNamed = (node: TrieNode) => node.naming !== null || node.variants.length > 0;

const ids = (branches: readonly Branch[]) =>
  branches
    .map((b) => `${b.node.id}.${b.up}`)
    .sort()
    .join(',');
const fieldKey = (scope: number, node: TrieNode, base: FieldId) => `${scope}|${node.id}|${base}`;
const NO_FIELD = { field: -1, plain: -1 };

const entryOf = (node: TrieNode): FieldEntry | null =>
  node.naming?.kind === 'field' ? node.naming.entry : null;

/** whether an answer names the node and the catalog does not */
const isAdded = (node: TrieNode) => node.naming?.kind === 'field' && node.naming.entry === null;

/** whether the catalog has an embedded resource at a node */
const embeds = (catalog: Catalog, trie: Trie, node: TrieNode) =>
  Object.entries(catalog.fields).some(([pointer, entry]) => 'resource' in entry && trie.at(pointer) === node);
const isMarked = (node: TrieNode) => node.subject || node.attributes.length > 0;
/** the mark of an element: attributes of the array do not apply to it */
const subjectOf = ({ node, up }: Branch): Mark => ({
  up,
  subject: true,
  places: placesOf(node),
  attributes: [],
});
const markOf = ({ node, up }: Branch): Mark => ({
  up,
  subject: node.subject,
  places: placesOf(node),
  attributes: node.attributes,
});
const placesOf = ({ places }: TrieNode): Mark['places'] => (places.length === 0 ? null : places);

function addVariants(trie: Trie, pointer: string, { by, of }: Variants): void {
  const last = parsePointer(pointer).at(-1);
  if (by !== KEY_POINTER || last === undefined) {
    const [step] = parsePointer(by);
    const key = step?.kind === 'name' ? step.name : KEY;
    for (const [value, resource] of Object.entries(of))
      trie.variant(trie.at(pointer), { key, value }, resource);
    return;
  }
  // within a record the name is a step of the path
  const around = pointer.slice(0, pointer.lastIndexOf('/'));
  for (const [name, resource] of Object.entries(of))
    if (last.kind === 'any' || (last.kind === 'name' && last.name === name))
      trie.at(`${around}/${escapeToken(name)}`).naming = { kind: 'embedded', resource };
}

function hasBelow(node: TrieNode, test: (node: TrieNode) => boolean): boolean {
  return childrenOf(node).some((child) => test(child) || hasBelow(child, test));
}

function nodesBelow(node: TrieNode): TrieNode[] {
  return [node, ...childrenOf(node).flatMap(nodesBelow)];
}

function strongest(nodes: readonly TrieNode[]): TrieNode | null {
  let best: TrieNode | null = null;
  for (const node of nodes) if (best === null || beats(node, best)) best = node;
  return best;
}

function beats(a: TrieNode, b: TrieNode): boolean {
  if (a.rank !== b.rank) return a.rank > b.rank;
  if (gradeOf(a) !== gradeOf(b)) return gradeOf(a) > gradeOf(b);
  return entryOf(a)?.whole !== true && entryOf(b)?.whole === true;
}

function gradeOf(node: TrieNode): number {
  if (node.naming?.kind === 'embedded') return Number.POSITIVE_INFINITY;
  return node.naming?.kind === 'field' && node.naming.entry !== null ? node.naming.entry.grade : 0;
}
