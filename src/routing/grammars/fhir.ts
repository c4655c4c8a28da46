/**
 * Search of FHIR R4 (https://hl7.org/fhir/R4/search.html). Names are those of search parameters, chains with or without types
 * (`subject.name`, `subject:Patient.name`), `_has:Observation:patient:code` and `_include` values in full. Not supported: `_filter` and
 * `_query`, which are separate languages.
 */
import type { Grammar, Reading } from './grammar.ts';

/** Modifiers that do not change which element is searched. */
const MODIFIERS: ReadonlySet<string> = new Set(
  'exact contains text not missing in not-in above below of-type iterate'.split(' '),
);
const NEVER: ReadonlySet<string> = new Set(['_filter', '_query']);
const NAME = /^(?:_has(?::[A-Za-z-]+){3}|_?[A-Za-z][A-Za-z0-9-]*)(?:[.:][A-Za-z][A-Za-z0-9-]*)*$/;
const ELEMENT = /^[A-Za-z][A-Za-z0-9]*$/;

type Read = (value: string, reading: Reading) => void;

const RESULT: { readonly [name: string]: Read } = Object.assign(Object.create(null), {
  _sort: (value: string, reading: Reading) => {
    for (const item of value.split(',')) searched(item.replace(/^-/, ''), reading);
  },
  _elements: (value: string, reading: Reading) => {
    if (!value.split(',').every((item) => ELEMENT.test(item))) reading.refuse('is not a list of elements');
  },
  _include: included,
  _revinclude: included,
  _count: matching(/^\d{1,9}$/),
  _offset: matching(/^\d{1,9}$/),
  _total: matching(/^(?:none|estimate|accurate)$/),
  _summary: matching(/^(?:true|false|text|count|data)$/),
});

function matching(pattern: RegExp): Read {
  return (value, reading) => {
    if (!pattern.test(value)) reading.refuse('has a value that is not known');
  };
}

/** `Encounter:subject`, `Encounter:subject:Patient`: a relation, which must be listed. */
function included(value: string, reading: Reading): void {
  const [type, name] = value.split(':');
  const short = `${type}:${name}`;
  reading.returned(reading.listed(value) ? value : short);
}

/** A search parameter, possibly behind references. */
function searched(name: string, reading: Reading): void {
  if (!NAME.test(name)) reading.refuse('has something in its name that is not known');
  const isWhole = name.startsWith('_has:') || reading.listed(name);
  reading.field(isWhole ? name : name.replace(/:[A-Z][A-Za-z]*(?=\.|$)/g, ''));
}

export const fhir: Grammar = {
  parameter(name, value, reading) {
    const at = name.lastIndexOf(':');
    const modifier = name.slice(at + 1);
    const hasModifier =
      at !== -1 && MODIFIERS.has(modifier) && !(name.startsWith('_has:') && name.split(':').length <= 4);
    const bare = hasModifier ? name.slice(0, at) : name;
    if (NEVER.has(bare.split(':')[0] ?? '')) return false;
    const result = RESULT[bare];
    if (result && (!hasModifier || modifier === 'iterate')) {
      if (value.includes('*')) reading.refuse('has a wildcard');
      result(value, reading);
    } else if (result || modifier === 'iterate') reading.refuse('has a modifier that does not belong there');
    else searched(bare, reading);
    return true;
  },
  /** A repeated search parameter must hold twice (§3.1.1.3); several includes are allowed. */
  repeats: (name) => !(name in RESULT) || name.startsWith('_include') || name.startsWith('_revinclude'),
};
