/**
 * Rewrites a module so that it answers as OPA's interpreter does.
 *
 * OPA compiles some built-ins into the module whose results differ from the interpreter's, or that never return. Each of
 * them is replaced by a call of the host. Iteration over sets and objects is sorted, as in the interpreter; the module's own
 * order is that of hashes. Functions are found by the names that OPA leaves in the module.
 */
import { RegoError } from '../errors.ts';
import {
  appended,
  bodiesOf,
  concat,
  count,
  functionNamesOf,
  importsOf,
  leb,
  malformed,
  Reader,
  SECTION,
  type Section,
  sectionsOf,
  signaturesOf,
} from './format.ts';
import { rewireAccesses } from './data-accesses.ts';
import { skipLocals } from './instructions.ts';
import { ruleFunctions } from './rule-functions.ts';
import { correctNegations } from './negations.ts';
import {
  aboveFunction,
  allOf,
  body,
  type Code,
  type Condition,
  callOf,
  condition,
  compareWalkedFunction,
  countFunction,
  dataMemberFunction,
  digitsFunction,
  forgetSlots,
  functionType,
  GLOBALS,
  get,
  holdsFunction,
  lessFunction,
  nextFunction,
  number,
  orderedIteration,
  returned,
  sortFunction,
  when,
} from './native-functions.ts';

interface Hosted {
  /** name of the function in the module */
  readonly name: string;
  /** the built-in that is called instead */
  readonly builtin: string;
  readonly arity: 1 | 2 | 3 | 4;
  /** arguments for which the host is called; for all others the module's own code is right, and faster. Default: all */
  readonly of?: Condition;
}

const hosted = (name: string, builtin: string, arity: Hosted['arity'], of?: Condition): Hosted => ({
  name,
  builtin,
  arity,
  ...(of === undefined ? {} : { of }),
});

const HOSTED: readonly Hosted[] = [
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
  hosted('opa_strings_concat', 'concat', 2, 'a set'),
  hosted('opa_to_number', 'to_number', 1, 'more than digits'),
  hosted('builtin_json_remove', 'json.remove', 2),
  hosted('builtin_json_filter', 'json.filter', 2),
  hosted('opa_arith_plus', 'plus', 2, 'long numbers'),
  hosted('opa_arith_minus', 'minus', 2, 'long numbers'),
  hosted('opa_arith_multiply', 'mul', 2, 'long numbers'),
  hosted('opa_arith_divide', 'div', 2),
  hosted('opa_arith_rem', 'rem', 2, 'long numbers'),
  hosted('opa_arith_abs', 'abs', 1, 'long numbers'),
  hosted('opa_arith_round', 'round', 1, 'long numbers'),
  hosted('opa_arith_ceil', 'ceil', 1, 'long numbers'),
  hosted('opa_arith_floor', 'floor', 1, 'long numbers'),
  hosted('opa_agg_sum', 'sum', 1),
  hosted('opa_agg_product', 'product', 1),
  hosted('opa_glob_match', 'glob.match', 3, 'a line break or a pattern not quoted'),
  hosted('opa_cidr_contains', 'net.cidr_contains', 2),
  hosted('opa_cidr_intersects', 'net.cidr_intersects', 2),
  hosted('opa_agg_min', 'min', 1, 'a set with null'),
  hosted('builtin_object_union_n', 'object.union_n', 1, 'an empty list'),
];

/** Ids of host functions start here; the module numbers its own built-ins from 0. */
const FIRST = 1 << 24;
/** host function: the element of a set, or the key of an object, that follows another in order */
export const NEXT = FIRST;
/** host function: sorts the result of `walk` */
export const ARRANGE = FIRST + 1;
/** host function: whether `walk` is asked for an index by a number that the interpreter does not take as one */
export const NO_INDEX = FIRST + 2;
const FIRST_HOSTED = FIRST + 3;
/** host function: the key that the interpreter looks up below `data` instead of this one */
const STORED_KEY = FIRST_HOSTED + HOSTED.length;
export const hostedAt = (id: number): string | undefined =>
  id === STORED_KEY ? 'internal.stored_key' : HOSTED[id - FIRST_HOSTED]?.builtin;

/**
 * A module without function names cannot be rewritten, and would answer otherwise than OPA's interpreter; one whose
 * functions have other parameters would not load. Both are refused.
 */
const unsupported = (why: string): RegoError =>
  new RegoError(
    'module_unsupported',
    `The policy's WebAssembly cannot be made to answer as OPA's interpreter does: ${why}. Build it with OPA 1.19, target wasm, and leave its section "name" in it.`,
  );

/** @throws RegoError `module_malformed`, `module_unsupported` */
export const asOpaInterpreter = (wasm: Uint8Array): Uint8Array<ArrayBuffer> => {
  const sections = sectionsOf(wasm);
  const find = (id: number): Section => {
    const section = sections.find((s) => s.id === id);
    if (section === undefined) throw unsupported(`it has no section ${id}`);
    return section;
  };
  const imports = importsOf(wasm, find(SECTION.import));
  const types = find(SECTION.type);
  const names = functionNamesOf(wasm, sections);
  const signatures = signaturesOf(wasm, types, find(SECTION.function));
  const bodies = bodiesOf(wasm, find(SECTION.code));
  if (bodies.length !== signatures.length) throw malformed('it does not have a body for each function');

  const first = imports.functions.length;
  const host = (id: number, ...args: readonly Code[]): Code => {
    const name = `opa_builtin${args.length}`;
    const index = imports.functions.indexOf(name);
    if (index < 0) throw unsupported(`it does not import ${name}`);
    return callOf(index, number(id), number(0), ...args);
  };
  /** index of the function's body; undefined if the module has no such function */
  const at = (name: string, parameters: string, results: '' | 'i' = 'i'): number | undefined => {
    const place = (names.get(name) ?? -1) - first;
    if (place < 0) return undefined;
    const signature = signatures[place];
    if (signature?.parameters !== parameters || signature.results !== results)
      throw unsupported(`its function ${name} has other parameters`);
    return place;
  };
  const needed = (...wanted: Parameters<typeof at>): number => {
    const place = at(...wanted);
    if (place === undefined) throw unsupported(`it names no function ${wanted[0]}`);
    return place;
  };
  const indexOf = (...wanted: Parameters<typeof at>): number | undefined => {
    const place = at(...wanted);
    return place === undefined ? undefined : first + place;
  };
  const added: { readonly type: readonly number[]; readonly body: Uint8Array }[] = [];
  const manyTypes = count(wasm, types);
  /** Adds a function. @returns its index */
  const add = (arity: number, content: Uint8Array): number => {
    added.push({ type: leb(manyTypes + arity - 1), body: content });
    return first + bodies.length + added.length - 1;
  };

  const iterate = needed('opa_value_iter', 'ii');
  const use = {
    digits: add(2, digitsFunction()),
    lineBreak: add(2, holdsFunction('\n')),
    unquoted: add(2, holdsFunction('()$\\')),
    iterate: first + iterate,
  };
  for (const [i, { name, arity, of }] of HOSTED.entries()) {
    const place = at(name, 'i'.repeat(arity));
    if (place === undefined) continue;
    const answer = host(FIRST_HOSTED + i, ...Array.from({ length: arity }, (_, k) => get(k)));
    bodies[place] =
      of === undefined
        ? body(0, answer)
        : inFront(bodies[place]!, when(condition(of, arity, use), returned(answer)));
  }
  const submatches = at('opa_regex_find_all_string_submatch', 'iii');
  if (submatches !== undefined) {
    const counting = {
      malloc: first + needed('opa_malloc', 'i'),
      free: first + needed('opa_free', 'i', ''),
      read: first + needed('opa_number_try_int', 'ii'),
      make: first + needed('opa_number_int', 'l'),
    };
    bodies[submatches] = inFront(bodies[submatches]!, allOf(2, add(1, countFunction(counting))));
  }
  const less = add(2, lessFunction());
  const above = add(3, aboveFunction(less));
  const parts = {
    malloc: first + needed('opa_malloc', 'i'),
    free: first + needed('opa_free', 'i', ''),
    globals: imports.globals + count(wasm, find(SECTION.global)),
    above,
  };
  const sort = add(2, sortFunction(parts));
  const next = add(2, nextFunction(parts, sort, host(NEXT, get(0), get(1))));
  bodies[iterate] = inFront(bodies[iterate]!, orderedIteration(next));
  const member = first + needed('opa_value_get', 'ii');
  const dataMember = add(2, dataMemberFunction(parts, member, host(STORED_KEY, get(1))));
  const walk = at('opa_value_transitive_closure', 'i');
  const compare = first + needed('opa_value_compare', 'ii');
  const accesses = {
    lookup: member,
    lookupBelowData: dataMember,
    walk: indexOf('opa_value_transitive_closure', 'i'),
    compare,
    compareWalked: add(2, compareWalkedFunction(compare, host(NO_INDEX, get(0), get(1)))),
  };
  const sets = { create: indexOf('opa_set', ''), add: indexOf('opa_set_add', 'ii', ''), lookup: member };
  const ofRules = ruleFunctions(names, bodies, first);
  if (ofRules === undefined) throw unsupported('it names functions of rules in another way');
  for (const place of ofRules) {
    const corrected = correctNegations(bodies[place]!, sets, unsupported);
    bodies[place] = rewireAccesses(corrected, accesses);
  }
  const giveBack = needed('opa_heap_ptr_set', 'i', '');
  bodies[giveBack] = inFront(bodies[giveBack]!, forgetSlots(parts));
  if (walk !== undefined) {
    const original = add(1, bodies[walk]!);
    bodies[walk] = body(0, host(ARRANGE, callOf(original, get(0))));
  }

  const more = (id: number, entries: readonly (readonly number[])[]): [number, Uint8Array] => [
    id,
    appended(wasm, find(id), entries),
  ];
  const made = new Map<number, Uint8Array>([
    more(SECTION.type, [1, 2, 3].map(functionType)),
    more(
      SECTION.function,
      added.map((a) => a.type),
    ),
    more(SECTION.global, GLOBALS),
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
      const bytes = made.get(s.id) ?? wasm.subarray(s.start, s.end);
      return [Uint8Array.from([s.id, ...leb(bytes.length)]), bytes];
    }),
  ]);
};

/** a function body with code inserted after its locals */
const inFront = (body: Uint8Array, before: readonly number[]): Uint8Array => {
  const reader = new Reader(body);
  skipLocals(reader);
  return concat([body.subarray(0, reader.at), Uint8Array.from(before), body.subarray(reader.at)]);
};
