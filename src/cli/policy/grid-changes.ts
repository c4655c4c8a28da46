/** Two matrices side by side: only what differs, grouped by what it changes from and to. */
import type { Cell, Grid, Row } from './grid.ts';

export interface Change {
  readonly resource: string;
  /** class or single field */
  readonly cls: string;
  /** null: the combination was, or is, not allowed at all */
  readonly before: Cell | null;
  readonly after: Cell | null;
  readonly role: string;
  readonly purpose: string;
  readonly tier: Row['tier'];
  readonly recipient: string;
  readonly state: string;
  /** the combination is allowed on one side only */
  readonly wholeRow: boolean;
}

export interface ChangeGroup {
  readonly resource: string;
  readonly cls: string;
  readonly before: string;
  readonly after: string;
  readonly wider: boolean;
  readonly cells: number;
  /** who, with the states in which it holds */
  readonly callers: readonly { readonly caller: string; readonly states: readonly string[] }[];
}

export function changesBetween(before: Grid, after: Grid): Change[] {
  const keyOf = (r: Row): string => JSON.stringify([r.role, r.purpose, r.tier, r.recipient, r.resource]);
  const rows = new Map<string, { before?: Row; after?: Row }>();
  for (const row of before.rows) rows.set(keyOf(row), { before: row });
  for (const row of after.rows) rows.set(keyOf(row), { ...rows.get(keyOf(row)), after: row });
  const changes: Change[] = [];
  for (const pair of rows.values()) {
    const one = (pair.after ?? pair.before)!;
    const [before, after] = [cellsOf(pair.before), cellsOf(pair.after)];
    const states = new Set([...Object.keys(before), ...Object.keys(after)]);
    for (const state of states) {
      const a = before[state];
      const b = after[state];
      for (const cls of new Set([...Object.keys(a ?? {}), ...Object.keys(b ?? {})])) {
        const from = a?.[cls] ?? null;
        const to = b?.[cls] ?? null;
        if (from?.do === to?.do && from?.because === to?.because) continue;
        const { role, purpose, tier, recipient, resource } = one;
        const wholeRow = pair.before === undefined || pair.after === undefined;
        changes.push({
          resource,
          cls,
          before: from,
          after: to,
          role,
          purpose,
          tier,
          recipient,
          state,
          wholeRow,
        });
      }
    }
  }
  return changes;
}

/** What a row says by state; what may be written stands as one more. */
function cellsOf(row: Row | undefined): Row['states'] {
  if (row === undefined) return {};
  if (row.writes === null) return row.states;
  const written = Object.entries(row.writes.may).map(([cls, { write, because }]): [string, Cell] => [
    cls,
    { do: write ? 'disclose' : 'drop', because },
  ]);
  return { ...row.states, [`written by ${row.writes.action}`]: Object.fromEntries(written) };
}

/** A combination that is allowed on one side only: what it gives, or gave. */
export interface Passage {
  readonly caller: string;
  readonly resource: string;
  readonly now: 'allowed' | 'refused';
  readonly cells: number;
  /** treatment → classes and fields that get it in one state at least; what gives nothing left out */
  readonly gives: { readonly [treatment: string]: readonly string[] };
}

export function passages(changes: readonly Change[]): Passage[] {
  const found = new Map<string, { first: Change; cells: number; gives: Map<string, Set<string>> }>();
  for (const c of changes) {
    const cell = c.before ?? c.after;
    if (!isPassage(c) || cell === null) continue;
    const key = JSON.stringify([callerOf(c), c.resource, c.before === null]);
    const passage = found.get(key) ?? { first: c, cells: 0, gives: new Map<string, Set<string>>() };
    found.set(key, passage);
    passage.cells += 1;
    if ((OPENNESS[cell.do] ?? 0) > 0)
      passage.gives.set(cell.do, (passage.gives.get(cell.do) ?? new Set()).add(c.cls));
  }
  return [...found.values()].map(({ first, cells, gives }) => ({
    caller: callerOf(first),
    resource: first.resource,
    now: first.before === null ? 'allowed' : 'refused',
    cells,
    gives: Object.fromEntries([...gives].map(([treatment, names]) => [treatment, [...names].sort()])),
  }));
}

const isPassage = (c: Change): boolean => c.wholeRow;

export const isWider = (c: Change): boolean => openness(c.after) > openness(c.before);

const spellCell = (cell: Cell | null): string => (cell === null ? 'nothing' : `${cell.do} (${cell.because})`);

/** how much is left of a value: what is wider after a change is what a reviewer looks at first */
const OPENNESS: { readonly [treatment: string]: number } = {
  denied: 0,
  withheld: 0,
  drop: 0,
  nullify: 1,
  pseudonymize: 2,
  tokenize: 3,
  mask: 4,
  generalize: 5,
  scrub: 6,
  encrypt: 7,
  disclose: 8,
};
const openness = (cell: Cell | null): number => (cell === null ? 0 : (OPENNESS[cell.do] ?? 0));

/** Changes within combinations that are allowed on both sides. */
export function grouped(changes: readonly Change[]): ChangeGroup[] {
  const groups = new Map<string, { first: Change; cells: number; callers: Map<string, string[]> }>();
  for (const c of changes) {
    if (isPassage(c)) continue;
    const key = JSON.stringify([c.resource, c.cls, spellCell(c.before), spellCell(c.after)]);
    const group = groups.get(key) ?? { first: c, cells: 0, callers: new Map<string, string[]>() };
    groups.set(key, group);
    group.cells += 1;
    const caller = callerOf(c);
    const states = group.callers.get(caller) ?? [];
    states.push(c.state);
    group.callers.set(caller, states);
  }
  return [...groups.values()]
    .map(({ first, cells, callers }) => ({
      resource: first.resource,
      cls: first.cls,
      before: spellCell(first.before),
      after: spellCell(first.after),
      wider: isWider(first),
      cells,
      callers: [...callers].map(([caller, states]) => ({ caller, states })),
    }))
    .sort(
      (a, b) =>
        Number(b.wider) - Number(a.wider) ||
        (a.resource < b.resource ? -1 : a.resource > b.resource ? 1 : 0) ||
        (a.cls < b.cls ? -1 : a.cls > b.cls ? 1 : 0) ||
        b.cells - a.cells,
    );
}

export const callerOf = (r: Pick<Row, 'role' | 'purpose' | 'tier' | 'recipient'>): string =>
  `${r.role} · ${r.purpose}${r.tier === null ? '' : ` · tier ${r.tier}`}${r.recipient === 'internal' ? '' : ` · to ${r.recipient}`}`;
