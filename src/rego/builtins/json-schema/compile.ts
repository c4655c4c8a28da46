/**
 * Reads a JSON Schema (draft 4, 6, 7, or "hybrid": the keywords of all of them) as gojsonschema does. Longer than most
 * files: all keywords, in the order in which gojsonschema reports errors in them.
 */
import type { RE2JS } from 're2js';
import { compareNumbers, integerOf } from '../../order.ts';
import {
  isNumber,
  numberText,
  parseJson,
  type RegoNumber,
  type RegoObject,
  type RegoValue,
} from '../../values.ts';
import { compile as compilePattern } from '../text/regex.ts';
import { canonical } from './canonical.ts';
import { fault, invalidType } from './faults.ts';
import draft04 from './metaschemas/draft-04.json' with { type: 'json' };
import draft06 from './metaschemas/draft-06.json' with { type: 'json' };
import draft07 from './metaschemas/draft-07.json' with { type: 'json' };

export interface Schema {
  /** the schema is `true` or `false` */
  pass?: boolean;
  ref?: Schema;
  types: string[];
  properties: Map<string, Schema>;
  additionalProperties?: boolean | Schema;
  patternProperties: (readonly [RE2JS, Schema])[];
  propertyNames?: Schema;
  dependencies: Map<string, readonly string[] | Schema>;
  items?: Schema;
  tuple: Schema[];
  additionalItems?: boolean | Schema;
  multipleOf?: RegoNumber;
  minimum?: RegoNumber;
  maximum?: RegoNumber;
  exclusiveMinimum?: RegoNumber;
  exclusiveMaximum?: RegoNumber;
  minLength?: number;
  maxLength?: number;
  pattern?: RE2JS;
  format?: string;
  minProperties?: number;
  maxProperties?: number;
  required: string[];
  minItems?: number;
  maxItems?: number;
  uniqueItems: boolean;
  contains?: Schema;
  const?: string;
  enum?: readonly string[];
  oneOf: Schema[];
  anyOf: Schema[];
  allOf: Schema[];
  not?: Schema;
  if?: Schema;
  then?: Schema;
  else?: Schema;
}

const DRAFTS: { readonly [url: string]: number } = {
  'http://json-schema.org/draft-04/schema': 4,
  'http://json-schema.org/draft-06/schema': 6,
  'http://json-schema.org/draft-07/schema': 7,
};
/** without `$schema`: the keywords of all drafts */
const HYBRID = 99;
const TYPES = ['array', 'boolean', 'integer', 'number', 'null', 'object', 'string'];

const METASCHEMAS: { readonly [url: string]: object } = {
  'http://json-schema.org/draft-04/schema': draft04,
  'http://json-schema.org/draft-06/schema': draft06,
  'http://json-schema.org/draft-07/schema': draft07,
};

const isText = (v: RegoValue | undefined): v is string => typeof v === 'string';

const text = (m: RegoObject, key: string): string | undefined => {
  const v = m.get(key);
  return v === undefined || isText(v) ? v : invalidType('string', key);
};

const list = (m: RegoObject, key: string): readonly RegoValue[] => {
  const v = m.get(key);
  if (v === undefined) return [];
  return Array.isArray(v) ? v : fault(`${key} must be of an array`);
};

const count = (m: RegoObject, key: string): number | undefined => {
  const v = m.get(key);
  if (v === undefined) return undefined;
  // `1.0` is not an integer here.
  const n = isNumber(v) && /^-?\d+$/.test(numberText(v)) ? integerOf(v) : undefined;
  if (n === undefined) return fault(`${key} must be of an integer`);
  return n < 0n ? fault(`${key} must be greater than or equal to 0`) : Number(n);
};

const draftOf = (document: RegoValue): number => {
  if (typeof document === 'boolean') return HYBRID;
  if (!(document instanceof Map)) return fault('schema is invalid');
  const url = document.get('$schema');
  if (url === undefined) return HYBRID;
  if (!isText(url)) return fault('$schema must be of type string');
  return DRAFTS[url.replace(/#$/, '')] ?? HYBRID;
};

/** RFC 3986 reference resolution; the base may be empty */
const resolve = (base: string, ref: string): string => {
  if (ref === '' || ref.startsWith('#')) return base.replace(/#.*$/s, '') + (ref === '#' ? '' : ref);
  if (URL.canParse(base)) return new URL(ref, base).href.replace(/#$/, '');
  if (URL.canParse(ref)) return new URL(ref).href.replace(/#$/, '');
  return ref.startsWith('/') ? ref : `/${ref}`;
};

/** a schema that can be referred to */
interface Pooled {
  readonly node: RegoValue;
  readonly base: string;
  readonly draft: number;
}

const pointerStep = (node: RegoValue, key: string): RegoValue => {
  if (node instanceof Map) return node.get(key) ?? fault(`Object has no key '${key}'`);
  if (!Array.isArray(node)) return fault(`Invalid token reference '${key}'`);
  if (!/^\d+$/.test(key)) return fault(`Invalid array index '${key}'`);
  return node[Number(key)] ?? fault(`Out of bound array[0,${node.length}] index '${key}'`);
};

class Compiler {
  readonly #pool = new Map<string, Pooled>();
  readonly #references = new Map<string, Schema>();

  compile(document: RegoValue): Schema {
    this.#collect(document, '', draftOf(document));
    this.#pool.set('', { node: document, base: '', draft: draftOf(document) });
    return this.#schema(document, '', draftOf(document));
  }

  /** Adds every schema with an id to the pool, by its absolute URI. */
  #collect(node: RegoValue, base: string, draft: number): void {
    if (Array.isArray(node)) for (const item of node) this.#collect(item, base, draft);
    if (!(node instanceof Map)) return;
    const id = node.get(node.has('id') ? 'id' : '$id');
    const here = isText(id) ? resolve(base, id) : base;
    if (isText(id)) this.#pool.set(here, { node, base: here, draft });
    for (const [key, value] of node) {
      if (key === 'const' || key === 'enum') continue;
      const named = key === 'properties' || key === 'dependencies' || key === 'patternProperties';
      if (!named) this.#collect(value, here, draft);
      else if (value instanceof Map) for (const child of value.values()) this.#collect(child, here, draft);
    }
  }

  #find(reference: string): Pooled {
    const known = this.#pool.get(reference);
    if (known !== undefined) return known;
    const hash = reference.indexOf('#');
    const url = hash < 0 ? reference : reference.slice(0, hash);
    const document = this.#pool.get(url) ?? this.#metaschema(url);
    if (document === undefined) {
      if (!URL.canParse(url)) return fault(`Reference ${reference} must be canonical`);
      return fault(`remote reference loading is not allowed: ${reference}`);
    }
    const pointer = hash < 0 ? '' : decodeURIComponent(reference.slice(hash + 1));
    if (pointer !== '' && !pointer.startsWith('/')) return fault(`Invalid JSON pointer '${pointer}'`);
    const node = pointer
      .split('/')
      .slice(1)
      .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'))
      .reduce(pointerStep, document.node);
    return { ...document, node };
  }

  #metaschema(url: string): Pooled | undefined {
    const metaschema = METASCHEMAS[url];
    if (metaschema === undefined) return undefined;
    const node = parseJson(JSON.stringify(metaschema));
    const pooled = { node, base: url, draft: draftOf(node) };
    this.#pool.set(url, pooled);
    return pooled;
  }

  #reference(reference: string): Schema {
    const known = this.#references.get(reference);
    if (known !== undefined) return known;
    // Set before the schema is read, because it may refer to itself.
    const schema = empty();
    this.#references.set(reference, schema);
    const { node, base, draft } = this.#find(reference);
    if (typeof node !== 'boolean' && !(node instanceof Map))
      return fault('Valid Schema must be of type object');
    return Object.assign(schema, this.#schema(node, base, draft));
  }

  #schema(node: RegoValue, outer: string, draft: number): Schema {
    const s = empty();
    if (typeof node === 'boolean' && draft >= 6) {
      s.pass = node;
      return s;
    }
    if (!(node instanceof Map)) return fault('Expected: Valid Schema, given: Invalid JSON');
    const idKey = draft === 4 || (draft === HYBRID && node.has('id')) ? 'id' : '$id';
    const id = text(node, idKey);
    const base = id === undefined ? outer : resolve(outer, id);
    const sub = (v: RegoValue): Schema => this.#schema(v, base, draft);
    const subOrBoolean = (key: string): boolean | Schema | undefined => {
      const v = node.get(key);
      if (v === undefined || typeof v === 'boolean') return v;
      return v instanceof Map ? sub(v) : invalidType('boolean/Valid Schema', key);
    };

    const definitions = node.get('definitions');
    if (definitions !== undefined) {
      if (!(definitions instanceof Map)) return invalidType('Array Of Schemas', 'definitions');
      for (const d of definitions.values()) {
        if (typeof d !== 'boolean' && !(d instanceof Map))
          return invalidType('Array Of Schemas', 'definitions');
        sub(d);
      }
    }
    text(node, 'title');
    text(node, 'description');
    const ref = text(node, '$ref');
    if (ref !== undefined) {
      s.ref = this.#reference(resolve(base, ref));
      return s;
    }
    const type = node.get('type');
    if (type !== undefined) {
      for (const t of Array.isArray(type) ? type : [type]) {
        if (!isText(t)) return invalidType('type', 'string/Array Of Strings');
        if (!TYPES.includes(t)) {
          return fault(
            `has a primitive type that is NOT VALID -- given: /${t}/ Expected valid values are:[${EXPECTED}]`,
          );
        }
        if (s.types.includes(t)) return fault(`${t} type is duplicated`);
        s.types.push(t);
      }
    }
    this.#object(node, s, sub, subOrBoolean, draft);
    this.#array(node, s, sub, subOrBoolean);
    numberKeywords(node, s, draft);
    stringKeywords(node, s);
    counts(node, s);
    this.#combinations(node, s, sub, draft);
    return s;
  }

  #object(
    node: RegoObject,
    s: Schema,
    sub: (v: RegoValue) => Schema,
    subOrBoolean: (key: string) => boolean | Schema | undefined,
    draft: number,
  ): void {
    const properties = node.get('properties');
    if (properties !== undefined) {
      if (!(properties instanceof Map)) fault('Properties must be of type object');
      for (const [key, v] of properties) s.properties.set(String(key), sub(v));
    }
    const additional = subOrBoolean('additionalProperties');
    if (additional !== undefined) s.additionalProperties = additional;
    const patterns = node.get('patternProperties');
    if (patterns !== undefined) {
      if (!(patterns instanceof Map)) invalidType('Valid Schema', 'patternProperties');
      for (const [pattern, v] of patterns) {
        s.patternProperties.push([compiled(String(pattern), `Invalid regex pattern '${pattern}'`), sub(v)]);
      }
    }
    const names = node.get('propertyNames');
    if (names !== undefined && draft >= 6) {
      if (typeof names !== 'boolean' && !(names instanceof Map))
        invalidType('Valid Schema', 'patternProperties');
      s.propertyNames = sub(names);
    }
    const dependencies = node.get('dependencies');
    if (dependencies === undefined) return;
    if (!(dependencies instanceof Map)) fault('dependencies must be of type object');
    for (const [key, v] of dependencies) {
      if (Array.isArray(v)) {
        if (!v.every(isText)) fault('Dependency must be of type Schema Or Array Of Strings');
        if (v.length > 0) s.dependencies.set(String(key), v);
      } else if (typeof v === 'boolean' || v instanceof Map) s.dependencies.set(String(key), sub(v));
      else fault('Dependency must be of type Schema Or Array Of Strings');
    }
  }

  #array(
    node: RegoObject,
    s: Schema,
    sub: (v: RegoValue) => Schema,
    subOrBoolean: (key: string) => boolean | Schema | undefined,
  ): void {
    const items = node.get('items');
    if (Array.isArray(items)) {
      for (const item of items) {
        if (typeof item !== 'boolean' && !(item instanceof Map))
          invalidType('Valid Schema/Array Of Schemas', 'items');
        s.tuple.push(sub(item));
      }
    } else if (typeof items === 'boolean' || items instanceof Map) s.items = sub(items);
    else if (items !== undefined) invalidType('Valid Schema/Array Of Schemas', 'items');
    const additional = subOrBoolean('additionalItems');
    if (additional !== undefined) s.additionalItems = additional;
  }

  #combinations(node: RegoObject, s: Schema, sub: (v: RegoValue) => Schema, draft: number): void {
    const contains = node.get('contains');
    if (contains !== undefined && draft >= 6) s.contains = sub(contains);
    const constant = node.get('const');
    if (constant !== undefined && draft >= 6) s.const = canonical(constant);
    const values = list(node, 'enum').map(canonical);
    if (new Set(values).size < values.length) fault('enum items must be unique');
    if (node.has('enum')) s.enum = values;
    s.oneOf = list(node, 'oneOf').map(sub);
    s.anyOf = list(node, 'anyOf').map(sub);
    s.allOf = list(node, 'allOf').map(sub);
    const single = (key: 'not' | 'if' | 'then' | 'else'): void => {
      const v = node.get(key);
      if (v === undefined) return;
      if (typeof v !== 'boolean' && !(v instanceof Map)) fault(`${key} must be of an object`);
      s[key] = sub(v);
    };
    single('not');
    if (draft < 7) return;
    single('if');
    single('then');
    single('else');
  }
}

const EXPECTED = 'array boolean integer number null object string';

const empty = (): Schema => ({
  types: [],
  properties: new Map(),
  patternProperties: [],
  dependencies: new Map(),
  tuple: [],
  required: [],
  uniqueItems: false,
  oneOf: [],
  anyOf: [],
  allOf: [],
});

const compiled = (pattern: string, otherwise: string): RE2JS => {
  try {
    return compilePattern(pattern);
  } catch {
    return fault(otherwise);
  }
};

const numberKeywords = (node: RegoObject, s: Schema, draft: number): void => {
  const multiple = node.get('multipleOf');
  if (multiple !== undefined) {
    if (!isNumber(multiple)) invalidType('Number', 'multipleOf');
    if (compareNumbers(multiple, 0) <= 0) fault('multipleOf must be strictly greater than 0');
    s.multipleOf = multiple;
  }
  for (const [key, exclusive] of [
    ['minimum', 'exclusiveMinimum'],
    ['maximum', 'exclusiveMaximum'],
  ] as const) {
    const bound = node.get(key);
    if (bound !== undefined) {
      if (!isNumber(bound)) fault(`${key} must be of a Number`);
      s[key] = bound;
    }
    const strict = node.get(exclusive);
    if (strict === undefined) continue;
    if (typeof strict === 'boolean' && (draft === 4 || draft === HYBRID)) {
      const inclusive = s[key];
      if (inclusive === undefined) fault(`${exclusive} cannot be used without ${key}`);
      if (strict) {
        s[exclusive] = inclusive;
        delete s[key];
      }
    } else if (isNumber(strict) && draft !== 4) s[exclusive] = strict;
    else invalidType(draft === 4 ? 'boolean' : draft === HYBRID ? 'boolean/number' : 'number', exclusive);
  }
};

const assign = (
  s: Schema,
  key: 'minLength' | 'maxLength' | 'minProperties' | 'maxProperties' | 'minItems' | 'maxItems',
  n: number | undefined,
): void => {
  if (n !== undefined) s[key] = n;
};

const stringKeywords = (node: RegoObject, s: Schema): void => {
  assign(s, 'minLength', count(node, 'minLength'));
  assign(s, 'maxLength', count(node, 'maxLength'));
  if ((s.minLength ?? 0) > (s.maxLength ?? Number.POSITIVE_INFINITY))
    fault('minLength cannot be greater than maxLength');
  const pattern = text(node, 'pattern');
  if (pattern !== undefined) s.pattern = compiled(pattern, 'pattern must be a valid regex');
  const format = text(node, 'format');
  if (format !== undefined) s.format = format;
};

const counts = (node: RegoObject, s: Schema): void => {
  assign(s, 'minProperties', count(node, 'minProperties'));
  assign(s, 'maxProperties', count(node, 'maxProperties'));
  if ((s.minProperties ?? 0) > (s.maxProperties ?? Number.POSITIVE_INFINITY)) {
    fault('minProperties cannot be greater than maxProperties');
  }
  for (const name of list(node, 'required')) {
    if (!isText(name)) invalidType('string', 'required');
    if (s.required.includes(name)) fault('required items must be unique');
    s.required.push(name);
  }
  assign(s, 'minItems', count(node, 'minItems'));
  assign(s, 'maxItems', count(node, 'maxItems'));
  const unique = node.get('uniqueItems');
  if (unique !== undefined)
    s.uniqueItems = typeof unique === 'boolean' ? unique : fault('uniqueItems must be of a boolean');
};

/** @throws SchemaFault */
export const compileSchema = (document: RegoValue): Schema => new Compiler().compile(document);
