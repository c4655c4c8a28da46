/** Writes the line of one property of a card. */
import { escaped, type Property } from '../../../model/vcard.ts';
import type { Decision, TreeNode } from '../shared/tree.ts';
import { replacement } from '../shared/single-record.ts';

/** octets of a line (RFC 6350 §3.2) */
const FOLD = 75;

/** A property and the tree nodes of its line. */
export interface Line {
  readonly property: Property;
  readonly node: TreeNode;
  readonly list: TreeNode;
  readonly group: TreeNode | null;
  readonly parameters: readonly { readonly name: string; readonly node: TreeNode }[];
  readonly values: readonly { readonly node: TreeNode; readonly start: number; readonly end: number }[];
}

/** Returns the new bytes of a line; null: unchanged; empty: removed. */
export class LineWriter {
  readonly #bytes: Buffer;
  readonly #line: Line;
  readonly #decisions: ReadonlyMap<TreeNode, Decision>;

  constructor(bytes: Buffer, line: Line, decisions: ReadonlyMap<TreeNode, Decision>) {
    this.#bytes = bytes;
    this.#line = line;
    this.#decisions = decisions;
  }

  write(): readonly Uint8Array[] | null {
    const { node, list, property } = this.#line;
    const decided = this.#decisionOf(list, node.index === 0) ?? this.#decisionOf(node, true);
    if (decided === 'keep') return null;
    if (decided === 'drop') return [];
    if (decided !== null)
      return [
        Buffer.from(`${property.name}:`),
        ...this.#folded(escaped(decided.text), property.name.length + 1),
        Buffer.from(property.eol),
      ];
    const { values, group, parameters } = this.#line;
    const of = (n: TreeNode): Decision => this.#decisions.get(n) ?? 'drop';
    if (values.every((value) => of(value.node) === 'drop')) return [];
    if (
      [group, ...parameters.map((p) => p.node), ...values.map((v) => v.node)].every(
        (n) => n === null || of(n) === 'keep',
      )
    )
      return null;
    return this.#spliced(of);
  }

  /** the decision for a node as a unit; null: its members have decisions of their own */
  #decisionOf(node: TreeNode, first: boolean): 'keep' | 'drop' | { readonly text: string } | null {
    const decision = this.#decisions.get(node) ?? 'drop';
    if (decision === 'walk') return null;
    if (decision === 'keep') return 'keep';
    const text = replacement(decision);
    return text === null || !first ? 'drop' : { text };
  }

  #spliced(of: (node: TreeNode) => Decision): readonly Uint8Array[] {
    const { property, group, parameters, values } = this.#line;
    const { at } = property;
    const out: Uint8Array[] = [];
    let from = property.start;
    const skip = (start: number, end: number): void => {
      out.push(this.#bytes.subarray(from, at[start]!));
      from = at[end]!;
    };
    if (property.group !== null && group !== null && of(group) !== 'keep')
      skip(property.group.start, property.group.end);
    const treated = new Map(parameters.map(({ name, node }) => [name, of(node)]));
    for (const { name, start, end } of property.parameters) {
      const decision = treated.get(name);
      if (decision === undefined || decision === 'keep') continue;
      skip(start, end);
      const text = replacement(decision);
      // written once, even if several parameters have the name
      if (text !== null && !text.includes('"')) {
        out.push(Buffer.from(`;${name}="${text.replace(/[\r\n]/g, ' ')}"`));
        treated.set(name, 'drop');
      }
    }
    for (const { node, start, end } of values) {
      const decision = of(node);
      if (decision === 'keep') continue;
      skip(start, end);
      const text = replacement(decision);
      if (text !== null) out.push(...this.#folded(escaped(text), start));
    }
    out.push(this.#bytes.subarray(from, property.end));
    return out;
  }

  /** Folds a value that follows this many octets of its line. */
  #folded(text: string, before: number): readonly Uint8Array[] {
    const out: Uint8Array[] = [];
    let room = FOLD - (before % FOLD);
    let piece = '';
    for (const character of text) {
      const length = Buffer.byteLength(character);
      if (length > room) {
        out.push(Buffer.from(`${piece}${this.#line.property.eol} `));
        piece = '';
        room = FOLD - 1;
      }
      piece += character;
      room -= length;
    }
    out.push(Buffer.from(piece));
    return out;
  }
}
