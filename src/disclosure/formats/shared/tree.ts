/**
 * Reads and decides records that a format holds as trees (an element with its children, a form, a card). The format builds `TreeNode`s.
 * `readTree` finds scopes, data subjects and attributes; `decide` returns a decision for every node; the format then writes the result in
 * its own spelling. JSON does not build trees: it applies the same rules to an index of byte offsets (`json/render.ts`). Longer than
 * most: both functions walk the same way.
 */
import { SluiceError } from '../../../errors.ts';
import type { Scalar } from '../../../model/disclosure.ts';
import { escapeToken } from '../../../model/pointer.ts';
import {
  type Container,
  DISCLOSE,
  DROP,
  isUntouched,
  type Mark,
  type Matcher,
  NULLIFY,
  type Program,
  type RecordScope,
  type Rendering,
  type StateId,
  type Treated,
} from '../format.ts';
import { ScopeBuilder } from './scope.ts';

export interface TreeNode {
  /** all its names (`phone`, `#3`); empty for an element of an array */
  readonly names: readonly string[];
  /** position in its array; undefined: it is a named member */
  readonly index?: number;
  /** null: a scalar */
  readonly children: readonly TreeNode[] | null;
  /** members in addition to the content (`@type` of an XML element); a scalar may have them, and its content is decided separately */
  readonly attributes?: readonly TreeNode[];
  /** its children are elements of an array, addressed by `index` */
  readonly array?: boolean;
  /** it is text between members (XML mixed content) */
  readonly isContent?: true;
  /** the name by which the catalog can address the content apart from the node (`#text` of an XML element) */
  readonly content?: string;
  /** a value of bytes that are no text: `children` is empty, and treatments for texts do not apply */
  readonly binary?: boolean;
  /** the decoded value of a scalar */
  scalar(): Scalar;
  /** the container as the upstream spelled it, for treatments that take containers */
  source(): string;
}

/** What is done with a node. `walk`: a container that is kept; its children have decisions of their own. */
export type Decision = 'keep' | 'drop' | 'null' | 'walk' | Exclude<Treated, 'drop'>;

export interface TreeRecord {
  readonly scopes: readonly RecordScope[];
  /** node that begins a scope → index into `scopes` */
  readonly begins: ReadonlyMap<TreeNode, number>;
}

export const isObject = (node: TreeNode) =>
  node.array !== true && (node.children !== null || (node.attributes ?? NONE).length > 0);
/** Whether the node is an object or contains one in an array: only a `whole` line covers it. */
const holdsObject = (node: TreeNode): boolean =>
  node.children !== null &&
  node.binary !== true &&
  (node.array === true ? node.children.some(holdsObject) : true);
const NONE: readonly TreeNode[] = [];
/** a function, since few paths are needed */
type Path = () => string;
const NOWHERE: Path = () => '';
export const membersOf = ({ attributes = NONE, children }: TreeNode): readonly TreeNode[] =>
  attributes.length === 0
    ? (children ?? NONE)
    : children === null
      ? attributes
      : [...attributes, ...children];

/** The text of a scalar member by its name, for selectors. @throws SluiceError `response_malformed` for a duplicate name */
function siblingOf(node: TreeNode): (key: string) => string | undefined {
  return (key) => {
    const found = membersOf(node).filter((child) => child.names.includes(key));
    if (found.length > 1) {
      throw new SluiceError(
        'response_malformed',
        'A record has a member twice that a catalog path selects by.',
      );
    }
    const only = found[0];
    if (!only || only.children !== null) return undefined;
    return only.scalar().text;
  };
}

export function enter(matcher: Matcher, from: StateId, node: TreeNode): StateId {
  const { names, index } = node;
  let state: StateId;
  if (index !== undefined) state = matcher.item(from, index);
  else if (names.length === 1) state = matcher.step(from, names[0]!);
  else state = matcher.step(from, names[0]!, ...names.slice(1));
  return matcher.selectors(state) && isObject(node) ? matcher.select(state, siblingOf(node)) : state;
}

/** The state of a scalar's content: by the line that names it (`/note/#text`), or the node's own. */
export function contentState(matcher: Matcher, node: TreeNode, state: StateId): StateId {
  return node.content === undefined || node.children !== null
    ? state
    : textState(matcher, state, node.content);
}

/** The state of a content by its name. `*` matches members but never the content, since the node's own line may be stricter. */
export function textState(matcher: Matcher, state: StateId, name: string): StateId {
  if (!matcher.inner(state)) return state;
  const inside = matcher.step(state, name);
  const field = matcher.field(inside);
  const isNamed = field >= 0 && field !== matcher.field(state) && matcher.path(field).endsWith(`/${name}`);
  return isNamed ? inside : state;
}

/** The state of text between elements: `*` matches the elements and not the text, as for an element that has only text. */
function amongMembers(matcher: Matcher, from: StateId, node: TreeNode): StateId {
  const state = enter(matcher, from, node);
  const field = matcher.field(state);
  if (field < 0 || !matcher.path(field).endsWith('/*')) return state;
  return matcher.whole(from) ? from : matcher.nothing;
}

/** The marks of a scalar's content: by the node's name, and by the name of the content. */
export function textMarks(matcher: Matcher, state: StateId, name: string | undefined): readonly Mark[] {
  const marks = matcher.marks(state);
  if (name === undefined || !matcher.marked(state)) return marks;
  const inside = matcher.marks(matcher.step(state, name));
  return inside.length === 0 ? marks : [...marks, ...inside];
}

const nameOf = (node: TreeNode): string | null => (node.index === undefined ? (node.names[0] ?? null) : null);

/** The start state of a record, which may depend on its type or its name. */
export function enterRecord(matcher: Matcher, root: TreeNode): StateId {
  const state = matcher.begin(nameOf(root));
  return matcher.selectors(state) && isObject(root) ? matcher.select(state, siblingOf(root)) : state;
}

/** Finds the scopes of a record with their data subjects and attributes. */
export function readTree(matcher: Matcher, root: TreeNode): TreeRecord {
  const scopes: ScopeBuilder[] = [];
  const begins = new Map<TreeNode, number>();
  const open = (id: number, node: TreeNode): number => {
    const key = matcher.key(Math.max(id, 0));
    const name = nameOf(node);
    const scope = new ScopeBuilder(id);
    if (key !== null && name !== null) scope.addKey(key.mark, name);
    return scopes.push(scope) - 1;
  };

  const visit = (node: TreeNode, state: StateId, chain: readonly number[]) => {
    if (node.children === null) {
      for (const mark of textMarks(matcher, state, node.content)) {
        const scope = scopes[chain[chain.length - 1 - mark.up] ?? -1];
        if (scope) scope.add(mark, node.scalar());
      }
      if (!isObject(node)) return;
    }
    const embedded = matcher.scope(state);
    if (embedded >= 0 && isObject(node)) {
      const scope = open(embedded, node);
      begins.set(node, scope);
      const inside = [...chain, scope];
      for (const child of membersOf(node))
        visit(child, enter(matcher, matcher.entry(embedded), child), inside);
    } else if (embedded >= 0) {
      // a list of embedded resources: each object of it begins a scope
      for (const child of membersOf(node)) if (isObject(child)) visit(child, state, chain);
    } else if (matcher.inner(state) || matcher.marked(state)) {
      for (const child of membersOf(node)) visit(child, enter(matcher, state, child), chain);
    }
  };
  visit(root, enterRecord(matcher, root), [open(-1, root)]);
  for (const scope of scopes) scope.close();
  return { begins, scopes };
}

/**
 * Decides every node and counts it. Nodes below one that is kept, dropped, nullified or treated have no decision. In an array that the
 * catalog addresses by number, elements are nullified instead of dropped.
 */
export function decide(root: TreeNode, record: TreeRecord, rendering: Rendering): Map<TreeNode, Decision> {
  const { matcher } = rendering;
  const decisions = new Map<TreeNode, Decision>();

  const scalarOrWhole = (node: TreeNode, at: StateId, program: Program, path: Path): Decision => {
    const state = contentState(matcher, node, at);
    const field = matcher.field(state);
    if (field < 0) {
      program.counter.unknown(path);
      return 'drop';
    }
    const action = program.action(field);
    if (action === DROP || action === NULLIFY) {
      program.counter.withheld(field);
      return action === DROP ? 'drop' : 'null';
    }
    const uncovered = holdsObject(node) && !matcher.whole(state);
    const apart = action === DISCLOSE ? uncovered : program.elements(field) && !matcher.through(state);
    if (node.array === true && node.children !== null && apart) {
      elements(node, state, program, path);
      return 'walk';
    }
    if (uncovered && (action === DISCLOSE || !program.elements(field))) {
      program.counter.notWhole(field);
      return 'drop';
    }
    if (action === DISCLOSE) {
      program.counter.released(field);
      return 'keep';
    }
    const value: Scalar | Container =
      node.children === null ? node.scalar() : { kind: 'container', text: node.source() };
    const treated = program.treat(state, value);
    return isUntouched(value, treated) ? 'keep' : treated;
  };

  const elements = (node: TreeNode, state: StateId, program: Program, path: Path) => {
    for (const child of node.children!) {
      const decision = scalarOrWhole(child, state, program, () => `${path()}/*`);
      decisions.set(child, decision === 'drop' && matcher.positional(state) ? 'null' : decision);
    }
  };

  const visit = (node: TreeNode, state: StateId, program: Program, path: Path): Decision => {
    const embedded = matcher.scope(state);
    if (embedded >= 0) return scope(node, state, embedded, program, path);
    const single = node.children === null || node.binary === true;
    if (single && (node.attributes ?? NONE).length > 0) return content(node, state, program, path);
    if (single || !matcher.inner(state)) return scalarOrWhole(node, state, program, path);
    members(node, state, program, path);
    return node === root || node.attributes === undefined ? 'walk' : emptied(node, state, program);
  };

  /**
   * The decision for an XML element none of whose members is kept: the same as for one without members, since `<orders></orders>` would
   * reveal that there are orders.
   */
  const emptied = (node: TreeNode, state: StateId, program: Program): Decision => {
    if (membersOf(node).some((member) => decisions.get(member) !== 'drop')) return 'walk';
    const field = matcher.field(state);
    return field < 0 || program.action(field) === DROP ? 'drop' : 'null';
  };

  /** The decision for the content of a scalar with attributes; it is kept without content if an attribute is kept. */
  const content = (node: TreeNode, state: StateId, program: Program, path: Path): Decision => {
    const bare =
      matcher.field(contentState(matcher, node, state)) < 0 &&
      node.binary !== true &&
      node.scalar().kind === 'null';
    const decision = bare ? 'walk' : scalarOrWhole(node, state, program, path);
    if (decision === 'drop' && !matcher.inner(state)) return 'drop';
    members(node, state, program, path);
    const stays = node.attributes!.some((attribute) => decisions.get(attribute) !== 'drop');
    if (stays || node === root) return decision === 'drop' ? 'null' : decision;
    return bare ? 'drop' : decision;
  };

  const members = (node: TreeNode, state: StateId, program: Program, path: Path) => {
    for (const child of membersOf(node)) {
      const decision = visit(
        child,
        child.isContent === true ? amongMembers(matcher, state, child) : enter(matcher, state, child),
        program,
        () => `${path()}/${tokenOf(child)}`,
      );
      const aligned = node.array === true && matcher.positional(state);
      decisions.set(child, decision === 'drop' && aligned ? 'null' : decision);
    }
  };

  const scope = (node: TreeNode, state: StateId, id: number, program: Program, path: Path): Decision => {
    if (isObject(node)) {
      const index = record.begins.get(node);
      const inside = index === undefined ? null : rendering.program(index, id);
      if (inside === null) {
        program.counter.scopeWithheld(path());
        return 'drop';
      }
      if (node.children === null && node.scalar().kind !== 'null') inside.counter.unknown(() => '');
      members(node, matcher.entry(id), inside, NOWHERE);
      return 'walk';
    }
    if (node.children === null) {
      program.counter.unknown(path);
      return 'drop';
    }
    for (const child of node.children) {
      if (isObject(child))
        decisions.set(
          child,
          scope(child, state, id, program, () => `${path()}/*`),
        );
      else {
        program.counter.unknown(() => `${path()}/*`);
        decisions.set(child, 'drop');
      }
    }
    return 'walk';
  };

  const program = rendering.program(0, 0);
  decisions.set(root, program === null ? 'drop' : visit(root, enterRecord(matcher, root), program, NOWHERE));
  return decisions;
}

const tokenOf = (node: TreeNode) => (node.index === undefined ? escapeToken(node.names[0]!) : '*');
