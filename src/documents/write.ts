/** YAML as text, and values put into it. */
import { Document, isCollection, isMap, parseDocument, stringify, visit } from 'yaml';
import type { Path } from './faults.ts';

export const writeYaml = (value: unknown): string => stringify(value, { lineWidth: 0 });

/** A name or a text, with quotes if it needs them. */
export const writeScalar = (text: string): string => stringify(text, { lineWidth: 0 }).trim();

export interface Shown {
  /** how many lists and mappings it stands in */
  readonly depth: number;
  readonly isMap: boolean;
  /** of its JSON, in characters */
  readonly length: number;
  readonly has: (key: string) => boolean;
}

/** @param onOneLine which lists and mappings take one line */
export function writeCommented(value: unknown, comment: string, onOneLine: (of: Shown) => boolean): string {
  const document = new Document(value);
  visit(document, {
    Collection: (_key, node, path) => {
      const shown: Shown = {
        depth: path.filter((above) => isCollection(above)).length,
        isMap: isMap(node),
        length: JSON.stringify(node.toJSON()).length,
        has: (key) => node.has(key),
      };
      if (onOneLine(shown)) node.flow = true;
    },
  });
  document.commentBefore = comment;
  return document.toString({ lineWidth: 0 });
}

/** The text with some values replaced; comments and everything else stay. @throws Error for a path that leads through a scalar */
export function withValues(text: string, values: readonly (readonly [path: Path, value: unknown])[]): string {
  const document = parseDocument(text);
  for (const [path, value] of values) document.setIn(path, value);
  return document.toString();
}
