/**
 * Finds the places where a function of a policy reads a member below `data`, and where it compares a result of `walk`.
 *
 * OPA's interpreter looks up `data.limits[x]` in its store, where every step of a path is a string. The module looks up the value of
 * `x`. Only a reference that begins with `data` is looked up in the store: after `l := data.limits`, `l[x]` is not. The module copies
 * the local in that case, so a local stands for a step of such a reference if a lookup has set it. There is one other way: where rules and
 * data may both answer `data.lib[x].v`, the module leaves a block with a copy of the member (`br 1`), and goes on with the copy.
 *
 * The interpreter's `walk` follows the path that it is asked for, and finds an element of an array only by an index that is spelled
 * as an integer. The module walks everything and compares the paths, in which 0.0 equals 0. The same rule finds these comparisons:
 * after `walk(x, [p, v])`, the module compares `p == [0.0]` by a copy of the path.
 */
import { concat, leb, malformed, Reader } from './format.ts';
import { OP, skipLocals, skipOperands } from './instructions.ts';

/** the parameter that holds `data` */
const DATA = 1;

/** indices of functions */
export interface Accesses {
  /** `opa_value_get` */
  readonly lookup: number;
  /** is called instead for a lookup below `data` */
  readonly lookupBelowData: number;
  /** `opa_value_transitive_closure`, if the module has it */
  readonly walk: number | undefined;
  /** `opa_value_compare` */
  readonly compare: number;
  /** is called instead where the first value is a part of a result of `walk` */
  readonly compareWalked: number;
}

export const rewireAccesses = (body: Uint8Array, use: Accesses): Uint8Array => {
  const reader = new Reader(body);
  skipLocals(reader);
  const below = new Set([DATA]);
  /** locals that hold a result of `walk` or a part of it */
  const walked = new Set<number>();
  /** variables that the path of the latest `walk` has set: they say nothing about which path it is asked for */
  const copied = new Set<number>();
  /** locals read by the last two instructions; undefined: the instruction was another one */
  let last: number | undefined;
  let secondLast: number | undefined;
  /** the local to which the last instruction has copied a local that stands for a step below `data` */
  let copyOfStep: number | undefined;
  /** the locals to which the result of the last instruction belongs */
  let found: Set<number> | undefined;
  const parts: Uint8Array[] = [];
  let written = 0;
  while (reader.at < body.length) {
    const { at } = reader;
    const op = reader.byte();
    let local: number | undefined;
    let finds: Set<number> | undefined;
    let copy: number | undefined;
    if (op === OP.get) local = reader.leb();
    else if (op === OP.set || op === OP.tee) {
      const target = reader.leb();
      if (last !== undefined && below.has(last)) copy = target;
      for (const locals of [below, walked, copied]) if (target !== DATA) locals.delete(target);
      found?.add(target);
      if (last !== undefined && walked.has(last)) copied.add(target);
    } else if (op === OP.branch) {
      if (reader.leb() === 1 && copyOfStep !== undefined) below.add(copyOfStep);
    } else if (op === OP.call) {
      const callee = reader.leb();
      let instead: number | undefined;
      if (callee === use.walk) {
        finds = walked;
        copied.clear();
      } else if (callee === use.lookup && secondLast !== undefined) {
        if (below.has(secondLast)) [finds, instead] = [below, use.lookupBelowData];
        else if (walked.has(secondLast)) finds = walked;
      } else if (callee === use.compare && secondLast !== undefined && walked.has(secondLast)) {
        if (!copied.has(last ?? -1)) instead = use.compareWalked;
      }
      if (instead !== undefined) {
        parts.push(body.subarray(written, at), Uint8Array.from([OP.call, ...leb(instead)]));
        written = reader.at;
      }
    } else skipOperands(reader, op);
    secondLast = last;
    last = local;
    found = finds;
    copyOfStep = copy;
  }
  if (reader.at !== body.length) throw malformed('a function does not end where its length says');
  return written === 0 ? body : concat([...parts, body.subarray(written)]);
};
