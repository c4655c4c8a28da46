/**
 * Corrects negations. OPA compiles `not e` to a block that fails the negation when its end is reached:
 *
 *     c := 1  block  …  c := 0  end  if c is 0, fail
 *
 * That is right if `e` is one sequence of instructions. A search is not: the end of the block is also reached when nothing is found, or
 * not reached although something is. `c := 0` belongs where something is found. Three kinds of code search:
 *
 * - `walk` and other loops: `block loop … br 0 end end`. Found: before `br 0`.
 * - `data.lib[n].allow`, with `allow` a rule of every package below `lib`: the function is found by its name, and its result is
 *   examined in a block of its own. Found: at the end of that block.
 * - `data.lib[n].allow`, with packages of different depth below `lib`: one block for each package, then a loop over the members of
 *   `data.lib` that are none of these packages. Found: at the end of each of these blocks, and in the loop.
 *
 * They stand within each other if an expression has several. Code that is none of them is refused. `every` and comprehensions have
 * assignments of their own where something is found.
 */
import { concat, leb, Reader } from './format.ts';
import { OP, skipLocals, skipOperands } from './instructions.ts';

interface Instruction {
  readonly op: number;
  readonly at: number;
  /** a local, a depth, a number or the index of a function; 0 for all other instructions */
  readonly operand: number;
  /** of a block, a loop and an `if`: the place of its `end`; of an `end`: that of what it ends */
  partner: number;
}

/** indices of functions of the module */
export interface SetFunctions {
  /** `opa_set` */
  readonly create: number | undefined;
  /** `opa_set_add` */
  readonly add: number | undefined;
  /** `opa_value_get` */
  readonly lookup: number;
}

/** @param refuse makes the error for negations that are compiled otherwise than OPA 1.19 does */
export const correctNegations = (
  body: Uint8Array,
  use: SetFunctions,
  refuse: (why: string) => Error,
): Uint8Array => {
  const code = instructionsOf(body);
  const edits: Edit[] = [];
  for (const [i, { op, operand: condition }] of code.entries()) {
    const start = code[i + 2];
    if (op === OP.end && isFailure(code, i + 1) && !isNegation(code, i))
      throw refuse('a negation has another form');
    if (op !== OP.const || condition !== 1 || code[i + 1]?.op !== OP.set || start?.op !== OP.block) continue;
    const local = code[i + 1]!.operand;
    const end = start.partner;
    if (!isAssigned(code, end - 2, 0, local)) throw refuse('a negation has no assignment at its end');
    if (isWith(code, end + 1, local)) continue;
    if (!isNegation(code, end)) throw refuse('the assignment of a negation does not decide');
    const found = new Search(code, use, refuse).found(i + 3, end - 2);
    if (found.length === 1 && found[0] === end - 2) continue;
    const assignment = Uint8Array.from([OP.const, 0, OP.set, ...leb(local)]);
    edits.push({ from: code[end - 2]!.at, to: code[end]!.at, with: new Uint8Array() });
    for (const at of found) edits.push({ from: code[at]!.at, to: code[at]!.at, with: assignment });
  }
  return edited(body, edits);
};

/** Finds the places of a negation at which its expression has been found true. */
class Search {
  readonly #code: readonly Instruction[];
  readonly #use: SetFunctions;
  readonly #refuse: (why: string) => Error;

  constructor(code: readonly Instruction[], use: SetFunctions, refuse: (why: string) => Error) {
    this.#code = code;
    this.#use = use;
    this.#refuse = refuse;
  }

  /** @returns the places of the instructions before which something has been found, within a sequence of instructions */
  found(from: number, to: number): number[] {
    const last = this.#code[to - 1];
    if (to <= from || last?.op !== OP.end) return [to];
    const start = last.partner;
    if (this.#code[start]?.op !== OP.block) throw this.#refuse('a negation ends with a loop or a choice');
    const loop = this.#code[start + 1];
    if (loop?.op !== OP.loop || loop.partner !== to - 2) return this.found(start + 1, to - 1);
    const repeat = this.#code[to - 3];
    if (repeat?.op !== OP.branch || repeat.operand !== 0)
      throw this.#refuse('a loop of a negation ends otherwise');
    return [...this.#foundInPackages(from, start, to - 3), ...this.found(start + 2, to - 3)];
  }

  /** what is found in the blocks of packages, if the loop at `loop` leaves out these packages */
  #foundInPackages(from: number, loop: number, end: number): number[] {
    const set = this.#leftOut(loop, end);
    if (set === undefined) return [];
    const code = this.#code;
    let at = loop;
    while (at > from && !(isCall(code[at], this.#use.create) && isSet(code[at + 1], set))) at -= 1;
    if (!isCall(code[at], this.#use.create))
      throw this.#refuse('a set of packages is not made before its loop');
    let packages = 0;
    for (let i = at + 2; i < loop; i++) if (isCall(code[i], this.#use.add)) packages += 1;
    const found: number[] = [];
    for (; packages > 0; packages--) {
      const start = code[at - 1]?.op === OP.end ? code[at - 1]!.partner : -1;
      if (start < from || code[start]?.op !== OP.block)
        throw this.#refuse('a package of a negation has no block');
      found.push(...this.found(start + 1, at - 1));
      at = start;
    }
    return found;
  }

  /** the local with the set that a loop leaves out: it goes on with `not set[key]`, the only negation within one */
  #leftOut(loop: number, end: number): number | undefined {
    const code = this.#code;
    for (let i = loop + 2; i < end; i++) {
      if (code[i]!.op === OP.block) i = code[i]!.partner;
      if (!isNegation(code, i)) continue;
      const [set, key, lookup] = code.slice(code[i]!.partner + 1);
      if (set?.op !== OP.get || key?.op !== OP.get || !isCall(lookup, this.#use.lookup))
        throw this.#refuse('a negation within a negation has another form');
      return set.operand;
    }
    return undefined;
  }
}

const isCall = (instruction: Instruction | undefined, callee: number | undefined): boolean =>
  callee !== undefined && instruction?.op === OP.call && instruction.operand === callee;
const isSet = (instruction: Instruction | undefined, local: number): boolean =>
  instruction?.op === OP.set && instruction.operand === local;

/** `local := value` */
const isAssigned = (code: readonly Instruction[], at: number, value: number, local: number): boolean =>
  code[at]?.op === OP.const && code[at].operand === value && isSet(code[at + 1], local);

/** `if c is 0, fail` */
const isFailure = (code: readonly Instruction[], at: number): boolean =>
  code[at]?.op === OP.get &&
  code[at + 1]?.op === OP.isZero &&
  code[at + 2]?.op === OP.branchIf &&
  code[at + 2]?.operand === 0;

/** what follows the block of a `with`: `data` or `input` is restored, then `if nothing was found, fail` */
const isWith = (code: readonly Instruction[], at: number, local: number): boolean =>
  code[at]?.op === OP.get &&
  code[at + 1]?.op === OP.set &&
  code[at + 2]?.op === OP.call &&
  code[at + 3]?.op === OP.get &&
  code[at + 3]?.operand === local &&
  code[at + 4]?.op === OP.branchIf;

/** whether the block with this `end` is a negation */
const isNegation = (code: readonly Instruction[], end: number): boolean => {
  if (code[end]?.op !== OP.end || !isFailure(code, end + 1)) return false;
  const start = code[end].partner;
  const local = code[end + 1]!.operand;
  return (
    code[start]?.op === OP.block &&
    isAssigned(code, start - 2, 1, local) &&
    isAssigned(code, end - 2, 0, local)
  );
};

const WITH_OPERAND: ReadonlySet<number> = new Set([
  OP.get,
  OP.set,
  OP.const,
  OP.branch,
  OP.branchIf,
  OP.call,
]);

const instructionsOf = (body: Uint8Array): Instruction[] => {
  const reader = new Reader(body);
  skipLocals(reader);
  const code: Instruction[] = [];
  const open: number[] = [];
  while (reader.at < body.length) {
    const { at } = reader;
    const op = reader.byte();
    const operands = reader.at;
    skipOperands(reader, op);
    const operand = WITH_OPERAND.has(op) ? new Reader(body, operands).leb() : 0;
    const partner = op === OP.end ? (open.pop() ?? -1) : -1;
    if (op === OP.block || op === OP.loop || op === OP.if) open.push(code.length);
    if (partner >= 0) code[partner]!.partner = code.length;
    code.push({ op, at, operand, partner });
  }
  return code;
};

interface Edit {
  readonly from: number;
  readonly to: number;
  readonly with: Uint8Array;
}

const edited = (body: Uint8Array, edits: readonly Edit[]): Uint8Array => {
  if (edits.length === 0) return body;
  const parts: Uint8Array[] = [];
  let at = 0;
  for (const edit of edits.toSorted((a, b) => a.from - b.from)) {
    parts.push(body.subarray(at, edit.from), edit.with);
    at = edit.to;
  }
  return concat([...parts, body.subarray(at)]);
};
