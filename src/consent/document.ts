/** Reads `consents.yaml` (or JSON, which is YAML): every fault at once with its place, never an id or a value. */
import { Compile } from 'typebox/compile';
import { type Document, isMap, isNode, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import { SluiceError } from '../errors.ts';
import { endOf, startOf } from '../model/moment.ts';
import { tokensOf } from '../model/pointer.ts';
import { holdsUnseen } from '../model/spelling.ts';
import { completenessOf } from '../documents/complete.ts';
import { type ConsentsDocument, consentsDocumentSchema } from './schema.ts';

const checker = Compile(consentsDocumentSchema);
/** More would not be read anyway. */
const MAX_FAULTS = 50;

type Fault = readonly [node: Node | null, where: string, message: string];

/** A document that can be used, with what has to be mended in it all the same. */
export interface ReadConsents {
  readonly document: ConsentsDocument;
  /** nothing shows that the file is complete */
  readonly isUnmarked: boolean;
  /** a misspelled status, which withholds the records of one data subject only */
  readonly doubts: readonly Placed[];
  /** where a value stands */
  place(path: readonly string[]): { readonly line: number; readonly column: number };
}

export interface Placed {
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

/** For whoever takes no doubts. @throws SluiceError `consent_invalid` */
export function parseConsents(text: string, file: string): ConsentsDocument {
  const { document, doubts } = readConsents(text, file);
  if (doubts.length > 0) throw invalid(doubts.map((d) => `${file}:${d.line}:${d.column}: ${d.message}`));
  return document;
}

/**
 * @param before what the file was when it was last read; null: it has not been read yet
 * @throws SluiceError `consent_invalid` when the file cannot be trusted as a whole
 */
export function readConsents(text: string, file: string, before: string | null = null): ReadConsents {
  const lines = new LineCounter();
  // Keys are compared below: the parser's own comparison takes quadratic time.
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    stringKeys: true,
    uniqueKeys: false,
  });
  const [broken] = document.errors;
  if (broken) {
    const { line, col } = lines.linePos(broken.pos[0]);
    throw invalid([`${file}:${line}:${col}: is not YAML (${broken.code.toLowerCase()})`]);
  }
  const faults: Fault[] = [];
  const doubts: Fault[] = [];
  const { fault, isMarked } = completenessOf(document, text, before);
  if (fault !== null) faults.push([null, '', fault]);
  findMisread(document.contents, faults);
  const value: unknown = faults.length === 0 ? plainValue(document, faults) : null;
  if (faults.length === 0 && !checker.Check(value)) findFaults(value, document.contents, faults, doubts);
  const position = (node: Node | null): { line: number; column: number } => {
    const start = node?.range?.[0];
    const { line, col } = start === undefined ? { line: 1, col: 1 } : lines.linePos(start);
    return { line, column: col };
  };
  const placed = (found: readonly Fault[]): Placed[] =>
    found.slice(0, MAX_FAULTS).map(([node, where, message]) => ({
      ...position(node),
      message: where === '' ? message : `${where}: ${message}`,
    }));
  if (faults.length === 0) {
    findContradictions(value as ConsentsDocument, document.contents, faults);
    if (faults.length === 0)
      return {
        document: value as ConsentsDocument,
        isUnmarked: !isMarked,
        doubts: placed(doubts),
        place: (path) => position(nodeAt(document.contents, path)),
      };
  }
  throw invalid(
    placed([...faults, ...doubts]).map(
      ({ line, column, message }) => `${file}:${line}:${column}: ${message}`,
    ),
  );
}

const invalid = (lines: readonly string[]): SluiceError =>
  new SluiceError(
    'consent_invalid',
    lines.length === 1 ? lines[0]! : `${lines.length} faults:\n${lines.join('\n')}`,
  );

/** An anchor may stand for very many equal entries, though not for a document that grows without end. */
const MAX_ALIASES = 1_000_000;

function plainValue(document: Document, faults: Fault[]): unknown {
  try {
    return document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch {
    faults.push([null, '', 'an alias (*name) has no anchor (&name) before it, or there are too many']);
    return null;
  }
}

/** What may be another value to the schema than it is to whoever wrote it: a key twice, and a tag (`!!omap` makes of a list a map without members). */
function findMisread(node: unknown, faults: Fault[]): void {
  if (isNode(node) && node.tag !== undefined) faults.push([node, '', 'has a tag (!…): leave it out']);
  if (isSeq(node)) for (const item of node.items) findMisread(item, faults);
  if (!isMap(node)) return;
  const seen = new Set<string>();
  for (const { key, value } of node.items) {
    const name = isScalar(key) ? String(key.value) : '';
    if (seen.has(name)) faults.push([key as Node, '', 'this key is there already']);
    seen.add(name);
    findMisread(value, faults);
  }
}

const STATUS = /^\/data_subjects\/[^/]+\/consents\/\d+\/status$/;

function findFaults(value: unknown, root: unknown, faults: Fault[], doubts: Fault[]): void {
  for (const { instancePath, keyword, params, message } of checker.Errors(value)) {
    // Follow-on messages of a closed object: `additionalProperties` tells it once.
    if (keyword === 'boolean') continue;
    const path = tokensOf(instancePath);
    if (keyword === 'additionalProperties') {
      for (const name of (params as { additionalProperties: string[] }).additionalProperties)
        faults.push([nodeAt(root, [...path, name], true), spell(path), 'has an unknown key']);
      continue;
    }
    const { allowedValues, allowedValue } = params as {
      allowedValues?: readonly string[];
      allowedValue?: unknown;
    };
    (allowedValues && STATUS.test(instancePath) ? doubts : faults).push([
      nodeAt(root, path),
      spell(path),
      allowedValues
        ? `must be one of ${allowedValues.join(', ')}`
        : keyword === 'const'
          ? `must be ${JSON.stringify(allowedValue)}`
          : message,
    ]);
  }
}

const UNSEEN = 'has a blank around it or an invisible character in it: nothing would be found by it';

/** What the policy would rightly ignore, but whoever wrote it surely meant to count. */
function findContradictions(
  { data_subjects, aliases = {} }: ConsentsDocument,
  root: unknown,
  faults: Fault[],
): void {
  const seen = (name: string, path: readonly string[], where: string, isKey = false): void => {
    if (holdsUnseen(name)) faults.push([nodeAt(root, path, isKey), where, UNSEEN]);
  };
  for (const [type, table] of Object.entries(aliases))
    for (const [alias, id] of Object.entries(table)) {
      seen(alias, ['aliases', type, alias], `aliases.${type}`, true);
      seen(id, ['aliases', type, alias], `aliases.${type}`);
    }
  for (const [id, { consents = [] }] of Object.entries(data_subjects)) {
    // ids are looked up without what pads them
    if (holdsUnseen(id))
      faults.push([
        nodeAt(root, ['data_subjects', id], true),
        'data_subjects',
        'an id has no blanks around it and no invisible characters in it: records would not be found by it',
      ]);
    for (const [i, { status, purpose, recipient, from, until }] of consents.entries()) {
      const path = ['data_subjects', id, 'consents', String(i)];
      const report = (key: string, message: string): void => {
        faults.push([nodeAt(root, [...path, key]), spell([...path, key]), message]);
      };
      if (status === 'given' && purpose === '*')
        report('purpose', 'a consent names its purpose: "*" can only be refused');
      if (status === 'given' && recipient === '*')
        report('recipient', 'a consent names its recipient: "*" can only be refused');
      if (from !== undefined && Number.isNaN(startOf(from))) report('from', 'is no date of the calendar');
      if (until !== undefined && Number.isNaN(endOf(until))) report('until', 'is no date of the calendar');
      if (from !== undefined && until !== undefined && startOf(from) > endOf(until))
        report('until', 'is before its from');
    }
  }
}

/** Without the data subject's id, which has no place in a log. */
const spell = (path: readonly string[]): string =>
  (path[0] === 'data_subjects' ? path.slice(2) : path).join('.').replace(/\.(\d+)(?=\.|$)/g, '[$1]');

function nodeAt(root: unknown, path: readonly string[], key = false): Node | null {
  let node = root;
  let found = root;
  for (const [i, step] of path.entries()) {
    if (isMap(node)) {
      const pair = node.items.find((p) => isScalar(p.key) && String(p.key.value) === step);
      node = key && i === path.length - 1 ? pair?.key : pair?.value;
    } else node = isSeq(node) ? node.items[Number(step)] : null;
    if (node === null || node === undefined) break;
    found = node;
  }
  return found as Node | null;
}
