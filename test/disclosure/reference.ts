/**
 * The disclosure of one JSON record as plainly as it can be said: JSON.parse, a recursive walk that compares every path with every pointer,
 * JSON.stringify. Slow, and wrong about spelling; the engine must agree with it about everything else.
 */
import { parsePointer, type Step } from '../../src/disclosure/fields/pointer.ts';
import type { DisclosureAnswer, TreatmentChoice } from '../../src/model/answers.ts';
import { type Catalog, classOf, type FieldEntry } from '../../src/model/catalog.ts';

type Json = null | boolean | number | string | Json[] | { [name: string]: Json };
interface Place {
  readonly token: string;
  readonly value: Json;
}
interface Candidate {
  readonly pointer: string;
  readonly steps: readonly Step[];
  readonly entry: FieldEntry | null;
}

const GONE = Symbol('gone');
const isObject = (value: Json): value is { [name: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function fits(step: Step, place: Place): boolean {
  if (step.kind === 'any') return true;
  if (step.kind === 'name') return step.name === place.token;
  if (step.kind === 'key') return false;
  const { value } = place;
  return step.wants.every((want) => {
    if (!isObject(value) || !Object.hasOwn(value, want.key)) return false;
    const sibling = value[want.key]!;
    return typeof sibling !== 'object' || sibling === null ? String(sibling) === want.value : false;
  });
}

const rankOf = (step: Step) =>
  step.kind === 'select' ? 2 + step.wants.length : step.kind === 'name' ? 2 : 1;
const rank = (steps: readonly Step[]) => steps.map(rankOf).join('');

export function reference(
  text: string,
  catalog: Catalog,
  answer: DisclosureAnswer,
  masked: Json,
): string | null {
  const candidates: Candidate[] = Object.entries(catalog.fields).map(([pointer, entry]) => {
    if ('resource' in entry) throw new Error('the reference knows no embedded resources');
    return { pointer, steps: parsePointer(pointer), entry };
  });
  for (const pointer of Object.keys(answer.fields)) {
    if (!candidates.some((c) => c.pointer === pointer))
      candidates.push({ pointer, steps: parsePointer(pointer), entry: null });
  }

  const matching = (path: readonly Place[], length: number) =>
    candidates.filter(
      (c) => c.steps.length >= length && c.steps.slice(0, length).every((s, n) => fits(s, path[n]!)),
    );

  /** the line that governs a place, whether it covers it or not */
  const lineAt = (path: readonly Place[], among: (c: Candidate) => boolean): Candidate | null => {
    for (let depth = path.length; depth >= 0; depth--) {
      const [best] = matching(path, depth)
        .filter((c) => c.steps.length === depth && among(c))
        .sort(
          (a, b) =>
            compare(rank(b.steps), rank(a.steps)) ||
            gradeOf(b) - gradeOf(a) ||
            Number(isWhole(a)) - Number(isWhole(b)),
        );
      if (best) return best;
    }
    return null;
  };

  const choiceAt = (
    path: readonly Place[],
  ): { choice: TreatmentChoice; depth: number; whole: boolean } | null => {
    const found = lineAt(path, () => true);
    if (found === null) return null;
    const depth = found.steps.length;
    // a line of the answer is whole where it refines one of the catalog's that is
    const lined = found.entry === null ? lineAt(path.slice(0, depth), (c) => c.entry !== null) : found;
    const whole = lined !== null && isWhole(lined);
    const own = answer.fields[found.pointer];
    const choice = own ?? answer.classes[classOf(found.entry!)] ?? { do: 'drop' as const, because: '' };
    return { choice, depth, whole };
  };

  const deeper = (path: readonly Place[]) =>
    matching(path, path.length).some((c) => c.steps.length > path.length);
  const positional = (path: readonly Place[]) =>
    matching(path, path.length).some((c) => {
      const next = c.steps[path.length];
      return next?.kind === 'name' && /^(0|[1-9]\d*)$/.test(next.name);
    });

  /** a value under one choice, with nothing deeper */
  const treated = (
    value: Json,
    choice: TreatmentChoice,
    through: boolean,
    whole: boolean,
  ): Json | typeof GONE => {
    if (choice.do === 'disclose' && whole) return value;
    if (choice.do === 'nullify') return null;
    if ((choice.do !== 'mask' && choice.do !== 'disclose') || through || isObject(value)) return GONE;
    if (Array.isArray(value))
      return value.map((v) => treated(v, choice, false, whole)).filter((v) => v !== GONE);
    if (choice.do === 'disclose') return value;
    return value === null ? null : masked;
  };

  const visit = (value: Json, path: readonly Place[]): Json | typeof GONE => {
    if (typeof value === 'object' && value !== null && deeper(path)) {
      if (Array.isArray(value)) {
        const elements = value.map((v, n) => visit(v, [...path, { token: String(n), value: v }]));
        return positional(path)
          ? elements.map((v) => (v === GONE ? null : v))
          : elements.filter((v) => v !== GONE);
      }
      const kept = Object.entries(value).map(
        ([name, v]) => [name, visit(v, [...path, { token: name, value: v }])] as const,
      );
      return Object.fromEntries(
        kept.filter((member): member is readonly [string, Json] => member[1] !== GONE),
      );
    }
    const found = choiceAt(path);
    if (found === null) return GONE;
    const inherited = path.length > found.depth;
    const through = inherited && path.slice(found.depth).some((_, n) => isObjectAt(path, found.depth + n));
    return through && !found.whole ? GONE : treated(value, found.choice, through, found.whole);
  };
  /** whether the container that holds path[at] is an object */
  const isObjectAt = (path: readonly Place[], at: number) => isObject(at === 0 ? root : path[at - 1]!.value);

  const root = JSON.parse(text) as Json;
  const result = visit(root, []);
  return result === GONE ? 'null' : JSON.stringify(result);
}

const gradeOf = (candidate: Candidate) => candidate.entry?.grade ?? 0;
const isWhole = (candidate: Candidate) => candidate.entry?.whole === true;
const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
