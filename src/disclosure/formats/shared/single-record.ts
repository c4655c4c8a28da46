/** A reader for small bodies that are one record (a form, a multipart form). The body is buffered, up to the record limit. */
import { SluiceError } from '../../../errors.ts';
import { columnName } from '../../../model/pointer.ts';
import type {
  BodyReader,
  FormatSetup,
  Matcher,
  Output,
  Piece,
  RecordPiece,
  RecordScope,
  Rendering,
} from '../format.ts';
import { type Decision, decide, readTree, type TreeNode, type TreeRecord } from './tree.ts';
import { groupTree } from './tree-group.ts';

/** The parsed body: its members, and a function that writes those that are kept. */
export interface Members {
  readonly nodes: readonly TreeNode[];
  render(out: Output, decisions: ReadonlyMap<TreeNode, Decision>): void;
}

export class SingleRecordReader implements BodyReader {
  readonly #setup: FormatSetup;
  readonly #parse: (body: Uint8Array) => Members;
  readonly #chunks: Uint8Array[] = [];
  #size = 0;

  constructor(setup: FormatSetup, parse: (body: Uint8Array) => Members) {
    this.#setup = setup;
    this.#parse = parse;
  }

  push(chunk: Uint8Array): readonly Piece[] {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    const { record_bytes } = this.#setup.limits;
    if (this.#size > record_bytes)
      throw new SluiceError(
        'record_too_large',
        `The form exceeds ${record_bytes} bytes; it is one record (limits.record).`,
      );
    return [];
  }

  end(): readonly Piece[] {
    const body = Buffer.concat(this.#chunks);
    return [new SingleRecord(this.#parse(body), body.length, this.#setup.matcher)];
  }
}

class SingleRecord implements RecordPiece {
  readonly kind = 'record';
  readonly size: number;
  readonly #members: Members;
  readonly #root: TreeNode;
  readonly #tree: TreeRecord;

  constructor(members: Members, size: number, matcher: Matcher) {
    this.size = size;
    this.#members = members;
    this.#root = {
      names: [],
      children: members.nodes,
      scalar: () => ({ kind: 'null', text: 'null' }),
      source: () => '',
    };
    this.#tree = readTree(matcher, this.#root);
  }

  get scopes(): readonly RecordScope[] {
    return this.#tree.scopes;
  }

  render(out: Output, rendering: Rendering | null): void {
    if (rendering === null) return;
    this.#members.render(out, decide(this.#root, this.#tree, rendering));
  }

  group(rendering: Rendering): string {
    return groupTree(this.#root, this.#tree, rendering);
  }
}

/**
 * Creates a member. `text` is null for bytes that are not in the charset: they can be disclosed or dropped, but not treated.
 */
export function member(
  names: readonly string[],
  text: string | null,
  attributes: readonly TreeNode[] = [],
): TreeNode {
  return {
    names,
    children: text === null ? [] : null,
    binary: text === null,
    attributes,
    scalar: () => (text === null || text === '' ? { kind: 'null', text: 'null' } : { kind: 'string', text }),
    source: () => text ?? '',
  };
}

/** The names of a member: its own, and its position. A name that looks like a position is escaped. */
export const namesOf = (name: string | null, index: number): readonly string[] => {
  const position = `#${index + 1}`;
  return name === null ? [position] : [columnName(name), position];
};

export const replacement = (decision: Decision | undefined): string | null =>
  typeof decision === 'object' && decision.kind !== 'null' ? decision.text : null;
