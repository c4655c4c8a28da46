/** `yaml.*`, as sigs.k8s.io/yaml reads and writes YAML 1.1: converted to JSON, keys as strings. */
import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  type Node,
  type Pair,
  parseAllDocuments,
  Scalar,
  visit,
} from 'yaml';
import type { RegoValue } from '../../values.ts';
import { fail, isLimit, string, tooLarge, tooLong } from '../operands.ts';
import type { Family } from '../types.ts';
import { resolve } from './words.ts';
import { yamlText } from './write.ts';

/** limit for nodes after aliases are expanded ("billion laughs") */
const MAX_NODES = 400_000;
const MAX_REPEATED = 0.99;

const TAGS: { readonly [tag: string]: (text: string) => RegoValue } = {
  'tag:yaml.org,2002:str': (text) => text,
  'tag:yaml.org,2002:int': resolve,
  'tag:yaml.org,2002:float': resolve,
  'tag:yaml.org,2002:bool': resolve,
  'tag:yaml.org,2002:null': () => null,
  'tag:yaml.org,2002:binary': (text) => Buffer.from(text, 'base64').toString('utf8'),
};

const scalar = (node: Scalar): RegoValue => {
  const quoted = node.type !== Scalar.PLAIN;
  const text = quoted ? String(node.value ?? '') : (node.source ?? '');
  if (node.tag !== undefined && node.tag !== '!') return TAGS[node.tag]?.(text) ?? text;
  return quoted ? text : resolve(text);
};

const keyText = (v: RegoValue): string => {
  if (typeof v === 'string') return v;
  if (typeof v === 'boolean' || typeof v === 'number') return String(v);
  return fail('a key is not a scalar');
};

/** the node that each alias refers to: the last one before it with that anchor */
const meanings = (document: Document): ReadonlyMap<Alias, Node> => {
  const named = new Map<string, Node>();
  const out = new Map<Alias, Node>();
  visit(document, (_, node) => {
    if (isAlias(node)) {
      const meant = named.get(node.source);
      if (meant !== undefined) out.set(node, meant);
    } else if (isNode(node) && node.anchor !== undefined) named.set(node.anchor, node);
  });
  return out;
};

const reader = (anchors: ReadonlyMap<Alias, Node>): ((node: unknown) => RegoValue) => {
  let nodes = 0;
  let repeated = 0;
  const open = new Set<unknown>();
  const read = (node: unknown): RegoValue => {
    nodes += 1;
    if (open.size > 0) repeated += 1;
    if (nodes > MAX_NODES) {
      // OPA refuses documents that are large because of aliases, and reads other large ones.
      if (repeated > nodes * MAX_REPEATED) return fail('excessive aliasing');
      return tooLarge(`A YAML document of more than ${MAX_NODES} nodes is not read`);
    }
    if (isAlias(node)) {
      const meant = anchors.get(node) ?? fail('an alias has no anchor');
      if (open.has(meant)) return fail('an anchor whose value contains itself');
      open.add(meant);
      const value = read(meant);
      open.delete(meant);
      return value;
    }
    if (isScalar(node)) return scalar(node);
    if (isSeq(node)) return node.items.map(read);
    if (!isMap(node)) return null;
    const out = new Map<RegoValue, RegoValue>();
    const merged: Pair[] = [];
    for (const pair of node.items) {
      if (isScalar(pair.key) && pair.key.type === Scalar.PLAIN && pair.key.source === '<<') merged.push(pair);
      else out.set(keyText(read(pair.key)), read(pair.value));
    }
    for (const { value } of merged) {
      const source = read(value);
      for (const from of Array.isArray(source) ? source : [source]) {
        if (!(from instanceof Map)) return fail('only a mapping can be merged');
        for (const [key, v] of from) if (!out.has(key)) out.set(key, v);
      }
    }
    return out;
  };
  return read;
};

/** takes the parser, which cannot be interrupted, about 0.1 s */
const MAX_LENGTH = 1 << 15;

/** a character that go-yaml refuses */
const CONTROL = /[^\t\n\r\u0020-\u007e\u0085\u00a0-\ufffd\u{10000}-\u{10ffff}]/u;
/** an escaped half of a surrogate pair, within quotes */
const HALF = /\\u[dD][89a-fA-F]/;

/** go-yaml stops reading after the first value, if that value is delimited (quotes, brackets) */
const endsBefore = (document: Document, text: string): boolean => {
  const { contents } = document;
  const closed =
    (isMap(contents) || isSeq(contents)) && contents.flow === true
      ? true
      : isScalar(contents) &&
        (contents.type === Scalar.QUOTE_SINGLE || contents.type === Scalar.QUOTE_DOUBLE);
  const end = contents?.range?.[1];
  return (
    closed &&
    end !== undefined &&
    !/^\s*[@`]/.test(text.slice(end)) &&
    document.errors.every((e) => e.code === 'UNEXPECTED_TOKEN' && e.pos[0] >= end)
  );
};

/** the first document of a stream */
const unmarshal = (source: string): RegoValue => {
  // Characters that are line breaks in YAML 1.1 and not in 1.2.
  const text = source.replace(/^[\u0085\u2028\u2029]+|(?<![\u0085\u2028\u2029])[\u0085\u2028\u2029]+$/g, '');
  if (text.length > MAX_LENGTH) return tooLong(`YAML of more than ${MAX_LENGTH} characters is not read`);
  if (/^%YAML (?!1\.1\s)/m.test(text)) return fail('another version of YAML');
  if (/^%(?!YAML |TAG )/.test(text)) return fail('an unknown directive');
  if (CONTROL.test(text.isWellFormed() ? text : text.toWellFormed())) return fail('a control character');
  const documents = parseAllDocuments(text, { version: '1.1', uniqueKeys: false, logLevel: 'silent' });
  if ('empty' in documents) return null;
  const [first] = documents;
  if (first === undefined) return null;
  if (first.errors.length > 0 && !endsBefore(first, text)) return fail('not YAML');
  visit(first, {
    Scalar(_, { type, range }) {
      if (type === Scalar.QUOTE_DOUBLE && range && HALF.test(text.slice(range[0], range[1])))
        fail('half a surrogate pair');
    },
  });
  return reader(meanings(first))(first.contents);
};

export const yaml: Family = {
  'yaml.unmarshal': ([v]) => unmarshal(string(v)),
  'yaml.is_valid': ([v]) => {
    if (typeof v !== 'string') return false;
    try {
      unmarshal(v);
      return true;
    } catch (e) {
      if (isLimit(e)) throw e;
      return false;
    }
  },
  'yaml.marshal': ([v]) => yamlText(v as RegoValue),
};
