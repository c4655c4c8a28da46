/**
 * JSON in a field. The scanner for bodies is in use for the outer document, so that this reader parses the text itself, strictly by RFC 8259,
 * into a tree with offsets. Values that are dropped or replaced are cut out of the text.
 */
import type { Scalar } from '../../model/disclosure.ts';
import { type Decision, decide, readTree, type TreeNode } from '../formats/shared/tree.ts';
import { isSluiceError } from '../../errors.ts';
import type { Segment } from '../formats/format.ts';
import { INNER_LIMITS, type InnerFormat } from './format.ts';

interface JsonNode extends TreeNode {
  readonly children: readonly JsonNode[] | null;
  /** offsets of the value */
  readonly start: number;
  readonly end: number;
  /** where the member or element begins */
  readonly member: number;
}

export const json: InnerFormat = {
  name: 'json',
  disclose(text, matcher, program) {
    const root = new Reader(text).document();
    if (root === null) return null;
    try {
      // An ambiguous document throws here, before any of its values is counted.
      readTree(matcher, root);
      const record = { scopes: [], begins: new Map<TreeNode, number>() };
      const decisions = decide(root, record, { matcher, program: () => program });
      const own = decisions.get(root) ?? 'drop';
      return own === 'drop' ? null : segmentsOf(text, editsOf(root, own, decisions));
    } catch (error) {
      if (isSluiceError(error, 'response_malformed')) return null;
      throw error;
    }
  },
};

interface Edit {
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

function editsOf(root: JsonNode, own: Decision, decisions: ReadonlyMap<TreeNode, Decision>): readonly Edit[] {
  const edits: Edit[] = [];
  const visit = (node: JsonNode, decision: Decision): void => {
    if (decision === 'keep' || decision === 'drop') return;
    if (decision !== 'walk') edits.push({ from: node.start, to: node.end, text: spelled(decision) });
    else members(node.children ?? []);
  };
  /** A comma is removed with the member after it, or with the first member if no member before it is kept. */
  const members = (children: readonly JsonNode[]): void => {
    let before: number | null = null;
    for (const [n, child] of children.entries()) {
      const decision = decisions.get(child) ?? 'drop';
      if (decision !== 'drop') visit(child, decision);
      else if (before !== null) edits.push({ from: before, to: child.end, text: '' });
      else edits.push({ from: child.member, to: children[n + 1]?.member ?? child.end, text: '' });
      if (decision !== 'drop' || before !== null) before = child.end;
    }
  };
  visit(root, own);
  return edits;
}

function spelled(decision: Exclude<Decision, 'keep' | 'drop' | 'walk'>): string {
  if (decision === 'null' || decision.kind === 'null') return 'null';
  return decision.kind === 'number' ? decision.text : JSON.stringify(decision.text);
}

function segmentsOf(text: string, edits: readonly Edit[]): readonly Segment[] {
  const segments: Segment[] = [];
  let at = 0;
  for (const edit of edits) {
    if (edit.from > at) segments.push({ from: at, to: edit.from });
    if (edit.text !== '') segments.push({ text: edit.text });
    at = edit.to;
  }
  if (at < text.length) segments.push({ from: at, to: text.length });
  return segments;
}

const BLANKS = /[ \t\n\r]*/y;
/** RFC 8259 §7 */
const STRING = /"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const OTHER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;

class Reader {
  readonly #text: string;
  #at = 0;
  #values = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** null: the text is not JSON, or exceeds the limits */
  document(): JsonNode | null {
    this.#match(BLANKS);
    const root = this.#value(this.#at, { names: [''] }, 0);
    this.#match(BLANKS);
    return this.#at === this.#text.length ? root : null;
  }

  #match(pattern: RegExp): string | null {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text);
    if (found === null) return null;
    this.#at = pattern.lastIndex;
    return found[0];
  }

  #value(member: number, named: Pick<TreeNode, 'names' | 'index'>, depth: number): JsonNode | null {
    if (depth > INNER_LIMITS.depth || ++this.#values > INNER_LIMITS.record_members) return null;
    const first = this.#text[this.#at];
    if (first === '{' || first === '[') return this.#container(first === '[', member, named, depth);
    const start = this.#at;
    const spelled = this.#match(first === '"' ? STRING : OTHER);
    if (spelled === null) return null;
    const text = this.#text;
    const end = this.#at;
    return {
      ...named,
      member,
      start,
      end,
      children: null,
      scalar: () => scalarOf(spelled),
      source: () => text.slice(start, end),
    };
  }

  #container(
    array: boolean,
    member: number,
    named: Pick<TreeNode, 'names' | 'index'>,
    depth: number,
  ): JsonNode | null {
    const start = this.#at++;
    const close = array ? ']' : '}';
    const children: JsonNode[] = [];
    this.#match(BLANKS);
    while (this.#text[this.#at] !== close) {
      const child = array
        ? this.#value(this.#at, { names: [], index: children.length }, depth + 1)
        : this.#pair(depth);
      if (child === null) return null;
      children.push(child);
      this.#match(BLANKS);
      const next = this.#text[this.#at];
      if (next === ',') {
        this.#at++;
        this.#match(BLANKS);
        if (this.#text[this.#at] === close) return null;
      } else if (next !== close) return null;
    }
    const end = ++this.#at;
    const text = this.#text;
    return {
      ...named,
      member,
      start,
      end,
      children,
      ...(array ? { array: true } : {}),
      scalar: () => ({ kind: 'null', text: 'null' }),
      source: () => text.slice(start, end),
    };
  }

  #pair(depth: number): JsonNode | null {
    const member = this.#at;
    const name = this.#match(STRING);
    if (name === null) return null;
    this.#match(BLANKS);
    if (this.#text[this.#at] !== ':') return null;
    this.#at++;
    this.#match(BLANKS);
    return this.#value(member, { names: [JSON.parse(name) as string] }, depth + 1);
  }
}

function scalarOf(spelled: string): Scalar {
  if (spelled.startsWith('"')) return { kind: 'string', text: JSON.parse(spelled) as string };
  if (spelled === 'true' || spelled === 'false') return { kind: 'boolean', text: spelled };
  return spelled === 'null' ? { kind: 'null', text: 'null' } : { kind: 'number', text: spelled };
}
