/** Inserts entries into YAML as text, so that existing lines, comments and their order do not change. */
import { isMap, isScalar, isSeq, type Node, type Pair, parseDocument, type YAMLMap } from 'yaml';
import { SluiceError } from '../errors.ts';

type Path = readonly string[];

const parsed = (file: string, text: string) => {
  const document = parseDocument(text, { prettyErrors: false });
  if (document.errors.length > 0)
    throw new SluiceError('input_invalid', {
      message: `${file} is not YAML: ${document.errors[0]!.message}. Correct it first (sluice check).`,
      at: { file },
    });
  return document;
};

const pairsOf = (map: YAMLMap): readonly Pair<Node, Node | null>[] => map.items as Pair<Node, Node | null>[];
const keyOf = (pair: Pair<Node, unknown>): string => (isScalar(pair.key) ? String(pair.key.value) : '');

/** offset after the last character of a value, without a comment that follows it */
function endOf(node: Node | null, otherwise: number): number {
  if (node === null) return otherwise;
  if (isMap(node) && node.flow !== true && node.items.length > 0) {
    const last = pairsOf(node).at(-1)!;
    return endOf(last.value, last.key.range![1]);
  }
  if (isSeq(node) && node.flow !== true && node.items.length > 0)
    return endOf(node.items.at(-1) as Node, otherwise);
  return node.range?.[1] ?? otherwise;
}

const lineStart = (text: string, offset: number): number => text.lastIndexOf('\n', offset - 1) + 1;
/** offset after the line's line break; the value of a block scalar includes it */
function lineEnd(text: string, offset: number): number {
  if (text[offset - 1] === '\n') return offset;
  const end = text.indexOf('\n', offset);
  return end < 0 ? text.length : end + 1;
}

/** The lines of one member, to be copied under another name. @throws SluiceError `input_invalid` */
export function memberText(file: string, text: string, path: Path): string {
  const document = parsed(file, text);
  const parent = document.getIn(path.slice(0, -1)) as YAMLMap;
  const pair = pairsOf(parent).find((p) => keyOf(p) === path.at(-1))!;
  const start = lineStart(text, pair.key.range![0]);
  const lines = text.slice(start, lineEnd(text, endOf(pair.value, pair.key.range![1])));
  if (
    parent.flow === true ||
    /(^|[\s[{,])[&*][A-Za-z0-9_-]+/m.test(lines.replace(/"[^"\n]*"|'[^'\n]*'/g, '""'))
  )
    throw new SluiceError('input_invalid', {
      message: `${file}: ${path.join('.')} cannot be copied, because it has anchors or stands in braces. Name another with --like, or write the lines yourself.`,
      at: { file },
    });
  return lines;
}

/**
 * @param lines of the member, indented by two spaces a level, the first line not at all
 * @returns the text with the lines after the last member of the mapping at `path`
 * @throws SluiceError `input_invalid`
 */
export function withMember(file: string, text: string, path: Path, lines: string): string {
  const document = parsed(file, text);
  const map = document.getIn(path);
  if (!isMap(map) || (map.flow === true && map.items.length > 0))
    throw new SluiceError('input_invalid', {
      message: `${file}: ${path.join('.')} is not a mapping of lines; write it as one, or add the lines yourself.`,
      at: { file },
    });
  if (map.items.length === 0) {
    const [start, end] = map.range!;
    return `${text.slice(0, start).trimEnd()}\n${indented(lines, 2)}${text.slice(end).replace(/^[ \t]*\n/, '')}`;
  }
  const last = pairsOf(map as YAMLMap).at(-1)!;
  const indent = last.key.range![0] - lineStart(text, last.key.range![0]);
  const at = lineEnd(text, endOf(last.value, last.key.range![1]));
  const before = text.slice(0, at);
  return `${before}${before.endsWith('\n') ? '' : '\n'}${indented(lines, indent)}${text.slice(at)}`;
}

/** @returns the text with the name as the last item of the list at `path` */
export function withName(file: string, text: string, path: Path, name: string): string {
  const document = parsed(file, text);
  const list = document.getIn(path);
  if (!isSeq(list))
    throw new SluiceError('input_invalid', {
      message: `${file}: ${path.join('.')} is not a list.`,
      at: { file },
    });
  const last = list.items.at(-1) as Node | undefined;
  if (list.flow === true) {
    const at = last === undefined ? list.range![0] + 1 : endOf(last, list.range![1] - 1);
    return `${text.slice(0, at)}${last === undefined ? '' : ', '}${name}${text.slice(at)}`;
  }
  const indent = text.slice(lineStart(text, last!.range![0])).match(/^ */)![0];
  const at = lineEnd(text, endOf(last!, text.length));
  return `${text.slice(0, at)}${indent}- ${name}\n${text.slice(at)}`;
}

const indented = (lines: string, columns: number): string =>
  lines.replace(/^(?=[^\n])/gm, ' '.repeat(columns)).replace(/\n*$/, '\n');

/** Removes the indentation of the first line from all lines. */
export function outdented(lines: string): string {
  const indent = /^ */.exec(lines)![0].length;
  return lines.replace(new RegExp(`^ {0,${indent}}`, 'gm'), '');
}
