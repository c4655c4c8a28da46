/**
 * Finds the places where a function of a policy reads a member below `data`.
 *
 * OPA's interpreter looks up `data.limits[x]` in its store, where every step of a path is a string. The module looks up the value of
 * `x`. Only a reference that begins with `data` is looked up in the store: after `l := data.limits`, `l[x]` is not. The module copies
 * the local in that case, so a local stands for a step of such a reference if a lookup has set it, and nothing else.
 */
import { concat, leb, malformed, Reader } from './format.ts';
import { blockType, immediates, OP } from './instructions.ts';

/** the parameter that holds `data` */
const DATA = 1;

/**
 * @param lookup index of `opa_value_get`
 * @param instead index of the function that is called instead, for a lookup below `data`
 */
export const rewireAccesses = (body: Uint8Array, lookup: number, instead: number): Uint8Array => {
  const reader = new Reader(body);
  for (let groups = reader.leb(); groups > 0; groups--) {
    reader.leb();
    reader.byte();
  }
  const below = new Set([DATA]);
  /** locals read by the last two instructions; undefined: the instruction was another one */
  let last: number | undefined;
  let secondLast: number | undefined;
  /** the last instruction was a lookup below `data` */
  let found = false;
  const parts: Uint8Array[] = [];
  let copied = 0;
  while (reader.at < body.length) {
    const { at } = reader;
    const op = reader.byte();
    let local: number | undefined;
    let finds = false;
    if (op === OP.block || op === OP.loop || op === OP.if) blockType(reader);
    else if (op === OP.get) local = reader.leb();
    else if (op === OP.set || op === OP.tee) {
      const target = reader.leb();
      if (found) below.add(target);
      else if (target !== DATA) below.delete(target);
    } else if (op === OP.call) {
      finds = reader.leb() === lookup && secondLast !== undefined && below.has(secondLast);
      if (finds) {
        parts.push(body.subarray(copied, at), Uint8Array.from([OP.call, ...leb(instead)]));
        copied = reader.at;
      }
    } else if (op !== OP.end) immediates(reader, op);
    secondLast = last;
    last = local;
    found = finds;
  }
  if (reader.at !== body.length) throw malformed('a function does not end where its length says');
  return copied === 0 ? body : concat([...parts, body.subarray(copied)]);
};
