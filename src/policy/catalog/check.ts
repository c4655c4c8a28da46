/** Checks the parts of a catalog document and reports every fault. */
import type { Fault, Path } from '../../documents/faults.ts';
import { didYouMean } from '../../documents/near-name.ts';
import { patternFault } from '../../documents/pattern.ts';
import { isObject, type YamlDocument } from '../../documents/yaml.ts';
import {
  type CatalogEntry,
  type FieldEntry,
  type SubjectPlace,
  type Variants,
  WRITE_MODES,
} from '../../model/catalog.ts';
import { catalogFault } from '../../model/pointer-faults.ts';
import { FIELD_TREATMENTS, PARSED } from '../schemas/documents.ts';

const FIELD = [
  'category',
  'grade',
  'parse',
  'whole',
  ...FIELD_TREATMENTS,
  'write',
  'quasi_identifier',
  'description',
] as const;
/** name of a resource, an identifier or an attribute */
export const NAME = /^[A-Za-z_][\w.:-]*$/;
/** no slash, since a class name is `category/grade` */
const CATEGORY = /^[\p{L}_][\p{L}\p{N}_.-]*$/u;

/** a document that can report the place of a fault */
export interface Placed extends Pick<YamlDocument, 'file' | 'value'> {
  fault(path: Path, message: string, key?: 'key'): Fault;
}

/** Collects every fault of one document. */
export class Check {
  readonly faults: Fault[] = [];
  readonly #doc: Placed;
  constructor(doc: Placed) {
    this.#doc = doc;
  }

  say(path: Path, message: string, key?: 'key'): void {
    this.faults.push(this.#doc.fault(path, message, key));
  }

  keys(value: { readonly [k: string]: unknown }, known: readonly string[], path: Path, what: string): void {
    for (const key of Object.keys(value))
      if (!known.includes(key))
        this.say(
          [...path, key],
          `${what}: unknown key "${key}"${didYouMean(key, known) || `; known: ${known.join(', ')}`}`,
          'key',
        );
  }

  pointer(value: unknown, path: Path, what: string): value is string {
    const wrong = typeof value === 'string' ? catalogFault(value) : 'a path is a string like "/a/b"';
    if (wrong !== null) this.say(path, `${what}: ${wrong}`);
    return wrong === null;
  }

  /** one entry of `data_subject`: a path, or `{ at, type, pattern }` */
  place(value: unknown, path: Path, person: number | null): SubjectPlace | null {
    if (!isObject(value))
      return this.pointer(value, path, 'data_subject')
        ? { at: value, type: null, pattern: null, person }
        : null;
    const before = this.faults.length;
    this.keys(value, ['at', 'type', 'pattern'], path, 'data_subject');
    const { at, type, pattern } = value;
    this.pointer(at, [...path, 'at'], 'data_subject.at');
    if (type !== undefined && !(typeof type === 'string' && NAME.test(type)))
      this.say([...path, 'type'], 'data_subject: type is the name of an identifier (data/identifiers.yaml)');
    if (pattern !== undefined) {
      const wrong = patternFault(pattern);
      if (wrong !== null) this.say([...path, 'pattern'], `data_subject: ${wrong}`);
    }
    return this.faults.length > before
      ? null
      : {
          at: at as string,
          type: (type as string | undefined) ?? null,
          pattern: (pattern as string | undefined) ?? null,
          person,
        };
  }

  variants(value: unknown): Variants | null {
    const path = ['variants'];
    if (!isObject(value) || !isObject(value['of']) || Object.keys(value['of']).length === 0) {
      this.say(path, 'variants: needs { by: /type, of: { <what it says>: <resource> } }');
      return null;
    }
    const before = this.faults.length;
    this.keys(value, ['by', 'of'], path, 'variants');
    const { by, of } = value;
    if (
      this.pointer(by, ['variants', 'by'], 'variants.by') &&
      (by.lastIndexOf('/') > 0 || /^\/[[*]/.test(by))
    )
      this.say(['variants', 'by'], 'variants.by: is one member of the record, e.g. /type, or /{key}');
    for (const [type, resource] of Object.entries(of))
      if (typeof resource !== 'string' || !NAME.test(resource))
        this.say(['variants', 'of', type], `variants.of.${type}: is the name of a catalog`);
    if (this.faults.length > before) return null;
    const table = Object.assign(Object.create(null), of) as Variants['of'];
    return { by: by as string, of: table };
  }

  /** `data_subject`: one place or several; those in `{ same: […] }` name the same person */
  places(value: unknown): readonly SubjectPlace[] {
    if (value === undefined || value === null) return [];
    const many = Array.isArray(value);
    const found: (SubjectPlace | null)[] = [];
    for (const [i, item] of (many ? value : [value]).entries()) {
      const path: Path = many ? ['data_subject', i] : ['data_subject'];
      if (!isObject(item) || !('same' in item)) {
        found.push(this.place(item, path, null));
        continue;
      }
      this.keys(item, ['same'], path, 'data_subject');
      const { same } = item;
      if (!Array.isArray(same) || same.length < 2)
        this.say([...path, 'same'], 'data_subject: same lists two places or more that name one person');
      else for (const [n, one] of same.entries()) found.push(this.place(one, [...path, 'same', n], i));
    }
    return found.filter((place) => place !== null);
  }

  entry(value: unknown, path: Path, pointer: string): CatalogEntry | null {
    if (!isObject(value)) {
      this.say(path, `${pointer}: needs { category: …, grade: 1–5 } or { resource: … }`);
      return null;
    }
    if ('resource' in value && !('category' in value)) {
      if ('whole' in value) {
        this.say(
          [...path, 'whole'],
          `${pointer}: whole stands with a class; an embedded resource is walked by its own catalog: leave it out`,
          'key',
        );
        return null;
      }
      this.keys(value, ['resource', 'description'], path, pointer);
      if (typeof value['resource'] === 'string' && NAME.test(value['resource']))
        return { resource: value['resource'] };
      this.say([...path, 'resource'], `${pointer}: resource is the name of a catalog`);
      return null;
    }
    const before = this.faults.length;
    this.keys(value, FIELD, path, pointer);
    if (typeof value['category'] !== 'string' || !CATEGORY.test(value['category']))
      this.say([...path, 'category'], `${pointer}: category is a word, e.g. contact`);
    const grade = value['grade'];
    if (typeof grade !== 'number' || !Number.isInteger(grade) || grade < 1 || grade > 5)
      this.say([...path, 'grade'], `${pointer}: grade is a whole number from 1 (public) to 5 (secret)`);
    for (const t of FIELD_TREATMENTS) {
      const v = value[t];
      if (v === undefined) continue;
      if (t === 'mask' && typeof v === 'string' && NAME.test(v)) continue;
      if (!isObject(v))
        this.say(
          [...path, t],
          `${pointer}: ${t} takes ${t === 'mask' ? 'the name of a mask or { kind: … }' : '{ parameter: value }'}`,
        );
      else if (t === 'mask' && typeof v['kind'] !== 'string')
        this.say([...path, t], `${pointer}: mask needs a kind`);
    }
    const { parse } = value;
    if (parse !== undefined && !(PARSED as readonly unknown[]).includes(parse))
      this.say([...path, 'parse'], `${pointer}: parse is one of ${PARSED.join(', ')}`);
    else if (parse !== undefined && value['whole'] === true)
      this.say(
        [...path, 'whole'],
        `${pointer}: a text that is parsed is disclosed by the lines below it, and never whole`,
      );
    if (value['whole'] !== undefined && typeof value['whole'] !== 'boolean')
      this.say([...path, 'whole'], `${pointer}: whole is true or false`);
    const { write } = value;
    if (write !== undefined && !WRITE_MODES.some((mode) => mode === write))
      this.say(
        [...path, 'write'],
        `${pointer}: write is one of ${WRITE_MODES.join(', ')}${typeof write === 'string' ? didYouMean(write, WRITE_MODES) : ''}`,
      );
    if (value['quasi_identifier'] !== undefined && typeof value['quasi_identifier'] !== 'boolean')
      this.say([...path, 'quasi_identifier'], `${pointer}: quasi_identifier is true or false`);
    if (value['description'] !== undefined && typeof value['description'] !== 'string')
      this.say([...path, 'description'], `${pointer}: description is text`);
    return this.faults.length === before ? (value as unknown as FieldEntry) : null;
  }
}
