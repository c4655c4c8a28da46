/** Reads OPA's evaluation cases (`{ "cases": [...] }`, JSON or YAML), every number as spelled. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isMap, isScalar, isSeq, parseAllDocuments } from 'yaml';
import { decode, numberOf, type RegoObject, type RegoValue } from '../../src/rego/values.ts';

export interface OpaCase {
  /** file and note: names are not unique without the file */
  readonly name: string;
  readonly query: string;
  readonly modules: readonly string[];
  readonly data: RegoValue | undefined;
  readonly input: RegoValue | undefined;
  readonly inputTerm: string | undefined;
  /** the wanted bindings of each answer; undefined where only an error is wanted */
  readonly want: readonly RegoObject[] | undefined;
  /** without bindings: whether there is to be an answer */
  readonly defined: boolean | undefined;
  readonly errorCode: string | undefined;
  readonly error: string | undefined;
  readonly strictError: boolean;
  readonly sortBindings: boolean;
}

const CASE_FILE = /\.(?:json|ya?ml)$/;

export const caseFiles = async (folder: string): Promise<string[]> => {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((e) => e.isFile() && CASE_FILE.test(e.name))
    .map((e) => join(e.parentPath, e.name));
  return files.sort();
};

const fromYaml = (node: unknown): RegoValue => {
  if (isMap(node))
    return new Map(node.items.map((pair) => [fromYaml(pair.key), fromYaml(pair.value)] as const));
  if (isSeq(node)) return node.items.map(fromYaml);
  if (!isScalar(node)) return null;
  const { value, source } = node;
  if (typeof value === 'number' || typeof value === 'bigint') {
    return /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(source ?? '')
      ? numberOf(source ?? '')
      : numberOf(String(value));
  }
  return typeof value === 'boolean' || typeof value === 'string' ? value : null;
};

const documentOf = (text: string, file: string): RegoValue => {
  if (file.endsWith('.json')) return decode(text);
  const [document] = parseAllDocuments(text, { merge: true });
  return document === undefined ? null : fromYaml('contents' in document ? document.contents : null);
};

const bool = (v: RegoValue | undefined): boolean | undefined => (typeof v === 'boolean' ? v : undefined);

const text = (v: RegoValue | undefined): string | undefined => (typeof v === 'string' ? v : undefined);

/** @returns undefined if the file holds something else */
export const readCases = async (file: string): Promise<OpaCase[] | undefined> => {
  let document: RegoValue;
  try {
    document = documentOf(await readFile(file, 'utf8'), file);
  } catch {
    return undefined;
  }
  const cases = document instanceof Map ? document.get('cases') : undefined;
  if (!Array.isArray(cases)) return undefined;
  return cases.flatMap((c, i): OpaCase[] => {
    if (!(c instanceof Map)) return [];
    const want = c.get('want_result');
    const modules = c.get('modules');
    return [
      {
        name: text(c.get('note')) ?? `${file}#${i}`,
        query: text(c.get('query')) ?? '',
        modules: Array.isArray(modules) ? modules.filter((m) => typeof m === 'string') : [],
        data: c.get('data'),
        input: c.get('input'),
        inputTerm: text(c.get('input_term')),
        want: Array.isArray(want) ? want.filter((w) => w instanceof Map) : undefined,
        defined: bool(c.get('want_defined')),
        errorCode: text(c.get('want_error_code')),
        error: text(c.get('want_error')),
        strictError: c.get('strict_error') === true,
        sortBindings: c.get('sort_bindings') === true,
      },
    ];
  });
};
