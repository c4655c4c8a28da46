/**
 * Compares two policies field by field for each resource. Both get all queries of their combined axes, so that a difference is always
 * one of the answers, and never one of the queries.
 */
import type { FieldAt } from '../../../disclosure/fields/outcomes.ts';
import { SENDS_RECORD } from '../../../model/actions.ts';
import type { DecisionAnswer } from '../../../model/answers.ts';
import type { DataSubjectState } from '../../../model/consent.ts';
import type { PolicyInput } from '../../../model/input.ts';
import { type Decision, decide } from '../../../pipeline/authorize.ts';
import type { LivePolicy } from '../../../policy/snapshot/index.ts';
import { filterDirection, retentionDirection } from '../record-limits.ts';
import type { Asker, Axes, AxesOptions } from './axes.ts';
import {
  type Caller,
  type Change,
  type Circumstance,
  type Compared,
  type Direction,
  differences,
  keyOf,
  limitDirection,
  tupleOf,
  type Verdict,
} from './changes.ts';
import { clearedFor, inputOf, recordRefusedTo, seenBy, qualified, writtenBy } from './grid.ts';
import { reads } from './uncovered.ts';

/** every query of a caller about a resource, for both policies */
export function compare(
  before: LivePolicy,
  after: LivePolicy,
  axes: Axes,
  options: AxesOptions,
  step: () => void = () => undefined,
): Compared {
  const comparison = new Comparison(before, after);
  for (const role of axes.roles)
    for (const purpose of axes.purposes)
      for (const recipient of axes.recipients)
        for (const resource of axes.resources) {
          comparison.ask({ role, purpose, recipient }, resource, axes, options);
          step();
        }
  return comparison.result();
}

/** The queries for every caller. */
interface Questions {
  readonly caller: Caller;
  readonly resource: string;
  readonly action: string;
  readonly axes: Axes;
  readonly options: AxesOptions;
  /** all circumstances in which the caller is allowed */
  readonly universe: Set<string>;
}

const NOTHING: readonly FieldAt[] = [];

class Comparison {
  readonly #before: LivePolicy;
  readonly #after: LivePolicy;
  readonly #found = new Map<
    string,
    { change: Change; callers: Map<string, { caller: Caller; tuples: Set<string> }> }
  >();
  /** `differences` returns equal changes again for equal views */
  readonly #keys = new WeakMap<Change, string>();
  readonly #asked = new Map<string, Set<string>>();
  /** neither decision reads the clearance, so it is queried once */
  readonly #clearanceDecides: boolean;
  /** by the view before and after */
  readonly #known = new WeakMap<readonly FieldAt[], WeakMap<readonly FieldAt[], readonly Change[]>>();
  #cells = 0;
  #questions = 0;

  constructor(before: LivePolicy, after: LivePolicy) {
    this.#before = before;
    this.#after = after;
    this.#clearanceDecides = [before, after].some((p) =>
      reads(p, 'sluice/decision', ['subject', 'properties', 'clearance']),
    );
  }

  ask(caller: Caller, resource: string, axes: Axes, options: AxesOptions): void {
    const { role, recipient } = caller;
    const universe = new Set<string>();
    this.#asked.set(keyOf(caller, resource), universe);
    for (const subject of axes.subjects(role, recipient))
      for (const action of axes.actions) {
        const asker = { subject, justification: options.justification };
        const question = { caller, resource, action, axes, options, universe };
        if (!this.#askAs(asker, question, true)) continue;
        for (const other of axes.others(asker, role, recipient))
          if (this.#isSeen(asker, other)) this.#askAs(other, question, false);
      }
  }

  /** either policy may distinguish them */
  #isSeen(a: Asker, b: Asker): boolean {
    const [x, y] = [a.subject.properties, b.subject.properties];
    return (
      (a.subject.type !== b.subject.type && this.#reads(['subject', 'type'])) ||
      (x.department !== y.department && this.#reads(['subject', 'properties', 'department'])) ||
      (x.organization !== y.organization && this.#reads(['subject', 'properties', 'organization'])) ||
      (x.assurance !== y.assurance && this.#reads(['subject', 'properties', 'assurance', 'amr'])) ||
      (a.justification !== b.justification && this.#reads(['context', 'justification']))
    );
  }

  #reads(path: readonly string[]): boolean {
    return [this.#before, this.#after].some((policy) =>
      (['sluice/decision', 'sluice/disclosure'] as const).some((entrypoint) =>
        reads(policy, entrypoint, path),
      ),
    );
  }

  /** @returns true if either policy allows the caller in some way */
  #askAs(
    { subject, justification }: Asker,
    { caller, resource, action, axes, options, universe }: Questions,
    refusals: boolean,
  ): boolean {
    const { purpose, recipient } = caller;
    // Tiers with the same result in both policies are merged.
    const tiers = new Set<string>();
    let allowed = false;
    for (const tier of axes.tiers) {
      const input = inputOf(subject, action, resource, purpose, recipient, tier, {
        ...options,
        justification,
      });
      const pairs = this.#decideAll(input, axes.clearances);
      const refused = pairs.every(([a, b]) => !a.answer.allow && !b.answer.allow);
      if (!refused) allowed = true;
      if (refused && (!refusals || pairs.every(([a, b]) => sameVerdict(a.answer, b.answer)))) continue;
      const key = JSON.stringify(pairs.map((pair) => pair.map((p) => [p.input.context.tier, p.answer])));
      if (tiers.has(key)) continue;
      tiers.add(key);
      for (const [n, clearance] of axes.clearances.entries()) {
        const [a, b] = pairs[n]!;
        const inForce = (b.answer.allow ? b : a).input.context.tier;
        const { department, organization, assurance } = subject.properties;
        const about = {
          tier: String(inForce ?? 'none'),
          action,
          kind: subject.type,
          department: department ?? 'not stated',
          organization,
          factor: assurance.amr.join(' and '),
          justification: justification === null ? 'none' : 'given',
          clearance: String(clearance ?? 'none'),
        };
        this.#compare(caller, resource, a, b, axes, about, universe);
      }
    }
    return allowed;
  }

  /** both policies' decisions, for each clearance */
  #decideAll(input: PolicyInput, clearances: Axes['clearances']): readonly (readonly [Decision, Decision])[] {
    const decide = (asked: PolicyInput): [Decision, Decision] => [
      this.#decide(this.#before, asked),
      this.#decide(this.#after, asked),
    ];
    const cleared = (asked: PolicyInput, clearance: number | null): PolicyInput => ({
      ...asked,
      subject: clearedFor(asked.subject, clearance),
    });
    if (this.#clearanceDecides) return clearances.map((clearance) => decide(cleared(input, clearance)));
    const [a, b] = decide(cleared(input, clearances[0] ?? null));
    return clearances.map((clearance) => [
      { ...a, input: cleared(a.input, clearance) },
      { ...b, input: cleared(b.input, clearance) },
    ]);
  }

  #decide(policy: LivePolicy, input: PolicyInput): Decision {
    this.#questions += 1;
    return decide(policy, qualified(policy, input));
  }

  #compare(
    caller: Caller,
    resource: string,
    a: Decision,
    b: Decision,
    axes: Axes,
    about: Omit<Circumstance, 'state'>,
    universe: Set<string>,
  ): void {
    const note = (changes: readonly Change[], state: string): void => {
      const tuple = tupleOf({ ...about, state });
      for (const change of changes) this.#note(change, caller, tuple);
    };
    const once = (changes: readonly Change[]): void => {
      for (const { name } of axes.states) note(changes, name);
    };
    if (a.answer.allow || b.answer.allow)
      for (const { name } of axes.states) universe.add(tupleOf({ ...about, state: name }));
    once(requestChanges(resource, a.answer, b.answer));
    if (!a.answer.allow && !b.answer.allow) return;
    if (a.answer.allow && b.answer.allow) once(limitChanges(resource, a, b));
    for (const state of axes.states)
      note(this.#stateChanges(resource, a, b, state.of(caller.purpose, caller.recipient)), state.name);
  }

  #stateChanges(resource: string, a: Decision, b: Decision, state: DataSubjectState): readonly Change[] {
    const action = b.input.action.name;
    const changes = this.#fieldChanges('field', resource, a, b, state, seenBy);
    if (SENDS_RECORD.has(action))
      return [...changes, ...this.#fieldChanges('write', resource, a, b, state, writtenBy)];
    if (action !== 'delete') return changes;
    const refused = [this.#before, this.#after].map((policy, n): Verdict => {
      const { answer, input } = n === 0 ? a : b;
      const codes = answer.allow ? recordRefusedTo(policy, input, state) : answer.reasons.map((r) => r.code);
      return { allow: codes === null, reasons: codes ?? [] };
    });
    const change = verdictChange('delete', resource, refused[0]!, refused[1]!);
    return change === null ? changes : [...changes, change];
  }

  #fieldChanges(
    of: 'field' | 'write',
    resource: string,
    a: Decision,
    b: Decision,
    state: DataSubjectState,
    fieldsOf: typeof seenBy,
  ): readonly Change[] {
    const before = a.answer.allow ? fieldsOf(this.#before, a.input, state) : null;
    const after = b.answer.allow ? fieldsOf(this.#after, b.input, state) : null;
    this.#cells += Math.max(before?.length ?? 0, after?.length ?? 0);
    const known = this.#known.get(before ?? NOTHING) ?? new WeakMap<readonly FieldAt[], readonly Change[]>();
    this.#known.set(before ?? NOTHING, known);
    let changes = of === 'field' ? known.get(after ?? NOTHING) : undefined;
    if (changes === undefined) {
      changes = differences(of, resource, [this.#before, before], [this.#after, after]);
      known.set(after ?? NOTHING, changes);
    }
    return changes;
  }

  #note(change: Change, caller: Caller, tuple: string): void {
    let key = this.#keys.get(change);
    if (key === undefined) {
      key = JSON.stringify([change.of, change.resource, change.path, change.before, change.after]);
      this.#keys.set(change, key);
    }
    let found = this.#found.get(key);
    if (found === undefined) {
      found = { change, callers: new Map() };
      this.#found.set(key, found);
    }
    const who = JSON.stringify([caller.role, caller.purpose, caller.recipient]);
    let at = found.callers.get(who);
    if (at === undefined) {
      at = { caller, tuples: new Set() };
      found.callers.set(who, at);
    }
    at.tuples.add(tuple);
  }

  result(): Compared {
    return {
      found: [...this.#found.values()],
      asked: this.#asked,
      cells: this.#cells,
      questions: this.#questions,
    };
  }
}

/** cached, since most requests are denied for one of a few reasons */
const CODES = new WeakMap<DecisionAnswer, readonly string[]>();

function codesOf(answer: DecisionAnswer): readonly string[] {
  const known = CODES.get(answer) ?? [...new Set(answer.reasons.map((r) => r.code))].sort();
  CODES.set(answer, known);
  return known;
}

const sameVerdict = (a: DecisionAnswer, b: DecisionAnswer): boolean =>
  a.allow === b.allow && codesOf(a).join() === codesOf(b).join();

function requestChanges(resource: string, a: DecisionAnswer, b: DecisionAnswer): Change[] {
  const verdict = (answer: DecisionAnswer): Verdict => ({ allow: answer.allow, reasons: codesOf(answer) });
  const change = verdictChange('request', resource, verdict(a), verdict(b));
  return change === null ? [] : [change];
}

function verdictChange(of: 'request' | 'delete', resource: string, a: Verdict, b: Verdict): Change | null {
  if (a.allow === b.allow && JSON.stringify(a.reasons) === JSON.stringify(b.reasons)) return null;
  const direction = a.allow === b.allow ? 'reason' : b.allow ? 'wider' : 'narrower';
  return { of, resource, path: '', before: a, after: b, direction };
}

function limitChanges(resource: string, a: Decision, b: Decision): Change[] {
  const limits = ({ answer, input }: Decision): { readonly [name: string]: unknown } => ({
    ...answer.obligations,
    tier: input.context.tier,
  });
  const [before, after] = [limits(a), limits(b)];
  const directionOfLimit = (path: string, from: unknown, to: unknown): Direction => {
    if (path === 'record_filter') return filterDirection(a.filter ?? [], b.filter ?? []);
    if (path === 'retention') return retentionDirection(a.retention, b.retention);
    return limitDirection(path, from, to);
  };
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((path): Change[] => {
    const [from, to] = [before[path] ?? null, after[path] ?? null];
    if (JSON.stringify(from) === JSON.stringify(to)) return [];
    return [
      {
        of: 'limit',
        resource,
        path,
        before: { limit: from },
        after: { limit: to },
        direction: directionOfLimit(path, from, to),
      },
    ];
  });
}
