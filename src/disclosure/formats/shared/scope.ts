/** Collects what a record says about one of its scopes: whose data it is, and the attributes that the policy may look at. */
import { SluiceError } from '../../../errors.ts';
import type { Scalar } from '../../../model/disclosure.ts';
import { subjectId } from '../../subjects/id.ts';
import { type NamedSubject, namedSubject } from '../../subjects/places.ts';
import type { Mark, RecordScope } from '../format.ts';

export { type NamedSubject, namedSubject };

/** up to this number of subjects an array is searched faster than a set */
const FEW = 16;
const NO_ATTRIBUTES: RecordScope['attributes'] = Object.freeze({});

export class ScopeBuilder implements RecordScope {
  readonly scope: number;
  readonly subjects: string[] = [];
  named: NamedSubject[] | undefined;
  keyed: boolean | undefined;
  attributes: RecordScope['attributes'] = NO_ATTRIBUTES;
  /** the subjects as a set, once there are more than `FEW` */
  #subjectSet: Set<string> | null = null;
  #values: Map<string, Scalar> | null = null;

  constructor(scope: number) {
    this.scope = scope;
  }

  /** Adds a marked value. @throws SluiceError `response_malformed` for an attribute with two different values */
  add({ subject, places, attributes }: Mark, value: Scalar): void {
    if (places !== null) {
      for (const place of places) {
        const named = namedSubject(place, value);
        if (named === null) continue;
        this.named ??= [];
        this.named.push(named);
      }
    } else if (subject) {
      const id = subjectId(value);
      if (id !== null) this.#addSubject(id);
    }
    for (const name of attributes) this.#setAttribute(name, value);
  }

  /** Adds the name that the scope stands under in a map. */
  addKey(mark: Mark, name: string): void {
    this.keyed = true;
    this.add(mark, { kind: 'string', text: name });
  }

  /** Sets `attributes`: all values were added. */
  close(): void {
    if (this.#values === null) return;
    const attributes: { [name: string]: ReturnType<typeof plain> } = {};
    for (const [name, value] of this.#values) {
      // an assignment to `__proto__` would not make a member
      if (name === '__proto__')
        Object.defineProperty(attributes, name, { value: plain(value), enumerable: true });
      else attributes[name] = plain(value);
    }
    this.attributes = attributes;
  }

  #addSubject(id: string): void {
    const { subjects } = this;
    if (subjects.length >= FEW) this.#subjectSet ??= new Set(subjects);
    if (this.#subjectSet?.has(id) ?? subjects.includes(id)) return;
    subjects.push(id);
    this.#subjectSet?.add(id);
  }

  #setAttribute(name: string, value: Scalar): void {
    this.#values ??= new Map();
    const known = this.#values.get(name);
    if (known && (known.kind !== value.kind || known.text !== value.text))
      throw new SluiceError(
        'response_malformed',
        `A record has two different values for its attribute ${name}.`,
      );
    this.#values.set(name, value);
  }
}

/** A number that a double cannot hold exactly reaches the policy as text, so that two ids never become one. */
function plain(value: Scalar): string | number | boolean | null {
  if (value.kind === 'string') return value.text;
  if (value.kind === 'boolean') return value.text === 'true';
  if (value.kind === 'null') return null;
  const number = Number(value.text);
  const held = Number.isSafeInteger(number) || !/^-?\d{16,}$/.test(value.text);
  return held && Number.isFinite(number) ? number : value.text;
}
