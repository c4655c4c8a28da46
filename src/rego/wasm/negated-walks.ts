/**
 * Corrects `not walk(x, [p, v])`. OPA compiles it to a loop over everything that is found, after which the negation fails, whether one
 * pass of the loop came to its end or none:
 *
 *     block  …  loop  …  br 0  end  end  c := 0  end   then   if c is 0, fail
 *
 * `c := 0` belongs before `br 0`. A negation of anything else has no loop at its end, and `every` has no such assignment.
 */
import { concat, Reader } from './format.ts';
import { blockType, immediates, OP } from './instructions.ts';

export const correctNegatedWalks = (body: Uint8Array): Uint8Array => {
  const reader = new Reader(body);
  for (let groups = reader.leb(); groups > 0; groups--) {
    reader.leb();
    reader.byte();
  }
  const parts: Uint8Array[] = [];
  let written = 0;
  while (reader.at < body.length) {
    const { at } = reader;
    const op = reader.byte();
    if (op === OP.block || op === OP.loop || op === OP.if) blockType(reader);
    else if (op !== OP.end) immediates(reader, op);
    const length = op === OP.branch ? failureAfterLoop(body, at) : 0;
    if (length === 0) continue;
    const assignment = at + LOOP_END.length;
    parts.push(
      body.subarray(written, at),
      body.subarray(assignment, assignment + length),
      body.subarray(at, assignment),
    );
    written = assignment + length;
    reader.at = written;
  }
  return written === 0 ? body : concat([...parts, body.subarray(written)]);
};

const LOOP_END = [OP.branch, 0, OP.end, OP.end];

/** @returns the length of `c := 0` that follows the end of a loop, if it makes a negation fail; else 0 */
const failureAfterLoop = (body: Uint8Array, at: number): number => {
  const starts = (bytes: ArrayLike<number>, from: number): boolean =>
    Array.from(bytes).every((b, i) => body[from + i] === b);
  const from = at + LOOP_END.length;
  if (!starts([...LOOP_END, OP.const, 0, OP.set], at)) return 0;
  const reader = new Reader(body, from + 3);
  reader.leb();
  const local = body.subarray(from + 3, reader.at);
  return starts([OP.end, OP.get, ...local, OP.isZero, OP.branchIf, 0], reader.at) ? reader.at - from : 0;
};
