/**
 * Built-ins that OPA compiles into the module and that answer otherwise there than in OPA's interpreter, or never: each
 * is rewritten to call the host, which answers as the interpreter does. What iterates over sets and objects is made to
 * go in order, as the interpreter does; the module's own order is that of hashes. The functions are found by the names
 * that OPA leaves in the module.
 */
import {
  appended,
  concat,
  leb,
  limits,
  malformed,
  Reader,
  SECTION,
  type Section,
  sectionsOf,
} from './wasm-format.ts';

/** a condition on the arguments under which the module's own code answers as OPA does, and faster */
type Unless = 'no long numbers' | 'not collections' | 'not a set';

interface Hosted {
  /** the function in the module */
  readonly name: string;
  /** the built-in that answers */
  readonly builtin: string;
  readonly arity: 1 | 2 | 3 | 4;
  readonly unless?: Unless;
}

const hosted = (name: string, builtin: string, arity: Hosted['arity'], unless?: Unless): Hosted => ({
  name,
  builtin,
  arity,
  ...(unless === undefined ? {} : { unless }),
});

export const HOSTED: readonly Hosted[] = [
  hosted('opa_json_marshal', 'json.marshal', 1),
  hosted('opa_json_unmarshal', 'json.unmarshal', 1),
  hosted('opa_json_is_valid', 'json.is_valid', 1),
  hosted('opa_base64_is_valid', 'base64.is_valid', 1),
  hosted('opa_base64_decode', 'base64.decode', 1),
  hosted('opa_base64_url_decode', 'base64url.decode', 1),
  hosted('opa_strings_indexof', 'indexof', 2),
  hosted('opa_strings_replace', 'replace', 3),
  hosted('opa_strings_replace_n', 'strings.replace_n', 2),
  hosted('opa_strings_format_int', 'format_int', 2),
  hosted('opa_strings_concat', 'concat', 2, 'not a set'),
  hosted('opa_to_number', 'to_number', 1),
  hosted('builtin_json_remove', 'json.remove', 2),
  hosted('builtin_json_filter', 'json.filter', 2),
  hosted('opa_arith_plus', 'plus', 2, 'no long numbers'),
  hosted('opa_arith_minus', 'minus', 2, 'no long numbers'),
  hosted('opa_arith_multiply', 'mul', 2, 'no long numbers'),
  hosted('opa_arith_divide', 'div', 2),
  hosted('opa_arith_rem', 'rem', 2, 'no long numbers'),
  hosted('opa_arith_abs', 'abs', 1, 'no long numbers'),
  hosted('opa_arith_round', 'round', 1, 'no long numbers'),
  hosted('opa_arith_ceil', 'ceil', 1, 'no long numbers'),
  hosted('opa_arith_floor', 'floor', 1, 'no long numbers'),
  hosted('opa_agg_sum', 'sum', 1),
  hosted('opa_agg_product', 'product', 1),
  hosted('opa_agg_min', 'min', 1, 'not a set'),
];

/** Numbers of what the host does besides the built-ins that the module numbers itself. */
const FIRST = 1 << 24;
/** the element of a set, or the key of an object, after another in order */
export const NEXT = FIRST;
/** puts what `walk` found in order */
export const ARRANGE = FIRST + 1;
const FIRST_HOSTED = FIRST + 2;
export const hostedAt = (id: number): string | undefined => HOSTED[id - FIRST_HOSTED]?.builtin;

const ITERATE = 'opa_value_iter';
const WALK = 'opa_value_transitive_closure';

const OBJECT = 6;
const SET = 7;
const NUMBER = 3;

/** @throws SluiceError `bundle_malformed` */
export const withHostedBuiltins = (wasm: Uint8Array): Uint8Array<ArrayBuffer> => {
  const sections = sectionsOf(wasm);
  const find = (id: number): Section | undefined => sections.find((s) => s.id === id);
  const functions = find(SECTION.function);
  const code = find(SECTION.code);
  const imports = importsOf(wasm, find(SECTION.import));
  const names = namesOf(wasm, sections);
  if (functions === undefined || code === undefined || names.size === 0) return concat([wasm]);

  const call = (arity: number): number => {
    const index = imports.names.indexOf(`opa_builtin${arity}`);
    if (index < 0) throw malformed(`it does not import opa_builtin${arity}`);
    return index;
  };
  const types = typesOf(wasm, functions);
  const bodies = bodiesOf(wasm, code);
  const added: { readonly type: number; readonly body: Uint8Array }[] = [];
  const at = (name: string): number | undefined => {
    const index = names.get(name);
    return index === undefined || index < imports.count ? undefined : index - imports.count;
  };
  for (const [i, { name, arity, unless }] of HOSTED.entries()) {
    const index = at(name);
    if (index === undefined) continue;
    const answer = ask(FIRST_HOSTED + i, arity, call(arity));
    bodies[index] =
      unless === undefined
        ? Uint8Array.from([0, ...answer, 0x0b])
        : inFront(bodies[index]!, [...conditionOf(unless, arity), 0x04, 0x40, ...answer, 0x0f, 0x0b]);
  }
  const iterate = at(ITERATE);
  if (iterate !== undefined)
    bodies[iterate] = inFront(bodies[iterate]!, [
      ...[0x20, 0, 0x04, 0x40],
      ...conditionOf('not collections', 1),
      // of more than one element
      ...[0x04, 0x40, 0x20, 0, 0x28, 2, 12, 0x41, 1, 0x4b, 0x04, 0x40],
      ...ask(NEXT, 2, call(2)),
      ...[0x0f, 0x0b, 0x0b, 0x0b],
    ]);
  const walk = at(WALK);
  if (walk !== undefined) {
    const original = imports.count + bodies.length + added.length;
    added.push({ type: types[walk]!, body: bodies[walk]! });
    bodies[walk] = Uint8Array.from([
      // no locals; id, context, then what the original answers
      ...[0, 0x41, ...leb4(ARRANGE), 0x41, 0, 0x20, 0, 0x10, ...leb(original), 0x10, ...leb(call(1)), 0x0b],
    ]);
  }
  const content = new Map<number, Uint8Array>([
    [
      SECTION.function,
      appended(
        wasm,
        functions,
        added.map((a) => leb(a.type)),
      ),
    ],
    [
      SECTION.code,
      concat([
        Uint8Array.from(leb(bodies.length + added.length)),
        ...[...bodies, ...added.map((a) => a.body)].flatMap((b) => [Uint8Array.from(leb(b.length)), b]),
      ]),
    ],
  ]);
  return concat([
    wasm.subarray(0, 8),
    ...sections.flatMap((s) => {
      const bytes = content.get(s.id) ?? wasm.subarray(s.start, s.end);
      return [Uint8Array.from([s.id, ...leb(bytes.length)]), bytes];
    }),
  ]);
};

/** a positive constant below 2^31, as a signed number takes it */
const leb4 = (value: number): number[] => [
  (value & 0x7f) | 0x80,
  ((value >> 7) & 0x7f) | 0x80,
  ((value >> 14) & 0x7f) | 0x80,
  ((value >> 21) & 0x7f) | 0x80,
  (value >> 28) & 0x7f,
];

/** the host's answer to the arguments of this function */
const ask = (id: number, arity: number, imported: number): number[] => [
  ...[0x41, ...leb4(id), 0x41, 0],
  ...Array.from({ length: arity }, (_, i) => [0x20, i]).flat(),
  ...[0x10, ...leb(imported)],
];

const conditionOf = (unless: Unless, arity: number): number[] => {
  if (unless === 'not a set') return [0x20, arity - 1, 0x2d, 0, 0, 0x41, SET, 0x46];
  return unless === 'not collections'
    ? // type - OBJECT < 2: an object or a set
      [0x20, 0, 0x2d, 0, 0, 0x41, OBJECT, 0x6b, 0x41, 2, 0x49]
    : Array.from({ length: arity }, (_, i) => [
        // a number that is not held as an integer of 64 bits
        ...[0x20, i, 0x2d, 0, 0, 0x41, NUMBER, 0x46, 0x20, i, 0x2d, 0, 1, 0x41, 1, 0x47, 0x71],
        ...(i > 0 ? [0x72] : []),
      ]).flat();
};

/** a body with code before its own */
const inFront = (body: Uint8Array, before: readonly number[]): Uint8Array => {
  const reader = new Reader(body);
  for (let n = reader.leb(); n > 0; n--) {
    reader.leb();
    reader.byte();
  }
  return concat([body.subarray(0, reader.at), Uint8Array.from(before), body.subarray(reader.at)]);
};

const importsOf = (wasm: Uint8Array, section: Section | undefined): { names: string[]; count: number } => {
  const names: string[] = [];
  if (section === undefined) return { names, count: 0 };
  const reader = new Reader(wasm, section.start);
  const text = (): string => {
    const length = reader.leb();
    reader.skip(length);
    return new TextDecoder().decode(wasm.subarray(reader.at - length, reader.at));
  };
  for (let n = reader.leb(); n > 0; n--) {
    text();
    const name = text();
    const kind = reader.byte();
    if (kind === 0) {
      reader.leb();
      names.push(name);
    } else if (kind === 2) limits(reader);
    else if (kind === 1) {
      reader.byte();
      limits(reader);
    } else {
      reader.byte();
      reader.byte();
    }
  }
  return { names, count: names.length };
};

const typesOf = (wasm: Uint8Array, section: Section): number[] => {
  const reader = new Reader(wasm, section.start);
  return Array.from({ length: reader.leb() }, () => reader.leb());
};

const bodiesOf = (wasm: Uint8Array, section: Section): Uint8Array[] => {
  const reader = new Reader(wasm, section.start);
  return Array.from({ length: reader.leb() }, () => {
    const size = reader.leb();
    reader.skip(size);
    return wasm.subarray(reader.at - size, reader.at);
  });
};

/** function names, from the custom section `name` */
const namesOf = (wasm: Uint8Array, sections: readonly Section[]): Map<string, number> => {
  const names = new Map<string, number>();
  const decoder = new TextDecoder();
  for (const s of sections) {
    if (s.id !== 0) continue;
    const reader = new Reader(wasm.subarray(0, s.end), s.start);
    const text = (): string => {
      const length = reader.leb();
      reader.skip(length);
      return decoder.decode(wasm.subarray(reader.at - length, reader.at));
    };
    if (text() !== 'name') continue;
    while (reader.at < s.end) {
      const part = reader.byte();
      const size = reader.leb();
      const end = reader.at + size;
      if (part === 1)
        for (let n = reader.leb(); n > 0; n--) {
          const index = reader.leb();
          const name = text();
          if (!names.has(name)) names.set(name, index);
        }
      reader.at = end;
    }
  }
  return names;
};
