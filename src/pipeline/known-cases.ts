/**
 * One memo for each known case: a caller that asks for the same kind of thing for the same stated use, under one policy. It holds what follows
 * from that: purpose and recipient, the action, and the policy's answers while nothing that the policy reads differs.
 *
 * Nothing has to be announced to it. The caller is the object that authentication gives, which is checked for expiry and revocation in every
 * request and is another one after its keys change; the policy is the live snapshot; consents and grants are looked up in every request.
 *
 * Measured: see `bench/RESULTS.md`, "What a request costs".
 */
import type { Authenticated, Headers } from '../identity/types.ts';
import { AnswerMemo } from '../model/answer-memo.ts';
import type { DecisionAnswer, DisclosureAnswer } from '../model/answers.ts';
import type { DataSubjectState } from '../model/consent.ts';
import type { Action } from '../model/input.ts';
import type { PolicySnapshot } from '../model/policy.ts';
import type { Known, PurposeOfUse } from '../routing/index.ts';

/** What a caller asks for, apart from whose data it is. Lists and objects are compared by their members. */
export interface Case {
  readonly snapshot: PolicySnapshot;
  readonly resource: string;
  readonly action: string;
  readonly properties: Action['properties'];
  /** of the request: the policy is told both */
  readonly method: string;
  readonly route: string | null;
  /** the purpose where the request states none */
  readonly purpose: string | null;
}

/** What follows from a case. Requests share it, so nothing of it but the answers is changed. */
export interface CaseMemo {
  readonly use: PurposeOfUse;
  /** purposes and recipients that the policy knows */
  readonly known: Known;
  readonly action: Action;
  /** the policy's identity in decision records */
  readonly policy: { readonly revision: string; readonly bundle: string };
  readonly decision: AnswerMemo<DecisionAnswer>;
  readonly disclosures: DisclosureMemos;
}

interface Remembered {
  readonly case: Case;
  /** values of the headers that state the use */
  readonly stated: readonly Headers[string][];
  readonly memo: CaseMemo;
}

/** cases of one caller; the number of callers is bounded by the credentials that authentication remembers */
const CASES = 16;

export class KnownCases {
  readonly #stating: readonly string[];
  readonly #byCaller = new WeakMap<Authenticated, Remembered[]>();

  /** @param stating names of the request headers that state the use, in lower case */
  constructor(stating: readonly string[]) {
    this.#stating = stating;
  }

  find(caller: Authenticated, asked: Case, headers: Headers): CaseMemo | null {
    const cases = this.#byCaller.get(caller);
    if (cases === undefined) return null;
    for (const remembered of cases)
      if (isSame(remembered.case, asked) && this.#statesSame(remembered, headers)) return remembered.memo;
    return null;
  }

  remember(caller: Authenticated, asked: Case, headers: Headers, memo: CaseMemo): void {
    const cases = this.#byCaller.get(caller) ?? [];
    if (cases.length === 0) this.#byCaller.set(caller, cases);
    if (cases.length >= CASES) cases.length = 0;
    cases.push({ case: asked, stated: this.#stating.map((name) => headers[name]), memo });
  }

  #statesSame({ stated }: Remembered, headers: Headers): boolean {
    const names = this.#stating;
    // A repeated header is a list, which is never the same: it is refused.
    for (let i = 0; i < names.length; i++) if (headers[names[i]!] !== stated[i]) return false;
    return true;
  }
}

const isSame = (a: Case, b: Case): boolean =>
  a.snapshot === b.snapshot &&
  a.route === b.route &&
  a.method === b.method &&
  a.resource === b.resource &&
  a.action === b.action &&
  a.purpose === b.purpose &&
  haveSameFields(a.properties, b.properties);

/** Members that an endpoint has added are not compared: such a case is never known. */
function haveSameFields(a: Action['properties'], b: Action['properties']): boolean {
  if (a === b) return true;
  for (const name in b) if (name !== 'query_fields' && name !== 'body_fields') return false;
  for (const name in a) if (name !== 'query_fields' && name !== 'body_fields') return false;
  return areSame(a.query_fields, b.query_fields) && areSame(a.body_fields, b.body_fields);
}

function areSame(a: readonly string[], b: readonly string[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** distinct consent states of one case; when there are more, its memo is emptied */
const STATES = 64;

/** The answers of `sluice/disclosure` in one case, by resource and consent state. */
export class DisclosureMemos {
  readonly #byState = new Map<DataSubjectState, Map<string, AnswerMemo<DisclosureAnswer>>>();

  /** null for a state that is not frozen: it may change */
  of(resource: string, state: DataSubjectState): AnswerMemo<DisclosureAnswer> | null {
    let memos = this.#byState.get(state);
    if (memos === undefined) {
      if (!Object.isFrozen(state)) return null;
      if (this.#byState.size >= STATES) this.#byState.clear();
      memos = new Map();
      this.#byState.set(state, memos);
    }
    let memo = memos.get(resource);
    if (memo === undefined) {
      memo = new AnswerMemo();
      memos.set(resource, memo);
    }
    return memo;
  }
}
