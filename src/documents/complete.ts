/**
 * Whether a YAML file that grants or refuses something is complete. YAML in block style stays valid when it is truncated between two
 * entries, and the lost entries may be refusals. Three rules detect it: a file that begins with `---` must end with `...`; a document in
 * brackets must close them; and a file that has become a prefix of its previous content counts as truncated.
 */
import { isUtf8 } from 'node:buffer';
import { isCollection, isMap } from 'yaml';
import type { YamlDocument } from './yaml.ts';

/** Control characters that YAML does not allow, and the replacement character that a failed conversion leaves. */
const NOT_TEXT = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f\ufffd]/;

/** A file in another charset would give names that match nothing. @throws Error if the bytes are not UTF-8 */
export function decodeUtf8(bytes: Uint8Array): string {
  if (!isUtf8(bytes)) throw new Error('the file is not UTF-8: save it as UTF-8');
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}

/** @throws Error if the bytes are not UTF-8 text, as after a crash, a failed copy or a failed conversion */
export function textOf(bytes: Uint8Array): string {
  const text = decodeUtf8(bytes);
  const at = text.search(NOT_TEXT);
  if (at < 0) return text;
  throw new Error(
    `the file is damaged: line ${text.slice(0, at).split('\n').length} has a control or replacement character`,
  );
}

export interface Completeness {
  /** why the file may be incomplete; null if it seems complete */
  readonly fault: string | null;
  /** a later truncation would be detected, even by a process that starts after it */
  readonly isMarked: boolean;
}

/** @param before the file's text when it was last read; null if it has not been read before */
export function completenessOf({ tree, root, text }: YamlDocument, before: string | null): Completeness {
  const { docStart, docEnd } = tree.directives ?? {};
  const ends = docEnd === true;
  const isMarked = (docStart === true && ends) || isClosed(root);
  if (docStart === true && !ends && !isClosed(root))
    return {
      fault:
        'the file begins with "---" and does not end with "...": it may be cut off. End it with a line "..."',
      isMarked,
    };
  const rest = text.trimEnd();
  if (!isMarked && before !== null && rest.length < before.trimEnd().length && before.startsWith(rest))
    return {
      fault:
        'the file is the beginning of what it was: it may be cut off. If entries were removed on purpose, begin it with a line "---" and end it with a line "..."',
      isMarked,
    };
  return { fault: null, isMarked };
}

export const UNMARKED =
  'nothing shows that the file is complete: begin it with a line "---" and end it with a line "...", so that one that was cut off is refused';

/** A collection in brackets, or a map that ends with one: truncated, it would not be YAML. */
function isClosed(node: unknown): boolean {
  if (!isCollection(node)) return false;
  if (node.flow === true) return true;
  const last: unknown = isMap(node) ? node.items.at(-1)?.value : null;
  return isCollection(last) && last.flow === true;
}
