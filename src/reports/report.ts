/** A report: data that a renderer writes for a terminal, a page, a spreadsheet or a program. It holds what the log holds: never values. */
import type { Decision, DecisionQuery } from '../decision-log/index/query.ts';
import type { Words } from '../model/plain-words.ts';
import type { Say } from './words.ts';
import type { Zone } from './zone.ts';

export const REPORT_FORMAT = 'sluice-report/1';

/** null: nothing is known */
export type Cell = string | number | null;

export interface Column {
  /** the same in every language */
  readonly id: string;
  readonly title: string;
  /** of numbers; absent: a text. `share`: a fraction of 1 */
  readonly is?: 'count' | 'share' | 'number';
  /** for programs: people read another column that says it in words */
  readonly isCode?: true;
}

export interface TableSection {
  readonly kind: 'table';
  readonly id: string;
  readonly title: string;
  /** what a row is, where the title does not say it */
  readonly note?: string;
  readonly columns: readonly Column[];
  /** all of them; renderers for people show the first */
  readonly rows: readonly (readonly Cell[])[];
  /** over all rows */
  readonly total?: readonly Cell[];
}

export interface ChartSection {
  readonly kind: 'chart';
  readonly id: string;
  readonly title: string;
  /** names of the places on the horizontal axis */
  readonly places: readonly string[];
  /** stacked; each has a number for each place */
  readonly series: readonly { readonly name: string; readonly values: readonly number[] }[];
}

/** Sentences; `is: arithmetic`: each shows how a number was computed. */
export interface TextSection {
  readonly kind: 'text';
  readonly id: string;
  readonly title: string;
  readonly is: 'summary' | 'arithmetic' | 'limits';
  readonly lines: readonly string[];
}

export type Section = TableSection | ChartSection | TextSection;

export interface Report {
  readonly format: typeof REPORT_FORMAT;
  readonly name: string;
  readonly title: string;
  readonly language: 'en' | 'zh';
  /** when it was made, RFC 3339 */
  readonly at: string;
  /** RFC 3339; null: the log's beginning or end. `first` and `last` are the times of the decisions that were found */
  readonly period: {
    readonly since: string | null;
    readonly until: string | null;
    readonly first: string | null;
    readonly last: string | null;
  };
  /** IANA name: days, hours and times of the report are in it */
  readonly time_zone: string;
  /** what it was made from */
  readonly sources: readonly string[];
  /** which decisions, with ids as in the log */
  readonly filter: object;
  readonly decisions: number;
  readonly sections: readonly Section[];
}

/** A right of the policy: a caller with the role may do this for the purpose and recipient. */
export interface Right {
  readonly role: string;
  readonly purpose: string;
  readonly recipient: string;
  readonly resource: string;
  readonly action: string;
  /** classes that leave as they are, of a person who agreed to everything */
  readonly clear: readonly string[];
}

export interface PolicyFacts {
  readonly name: string;
  readonly revision: string;
  readonly rights: readonly Right[];
  readonly purposes: readonly string[];
  /** partner → purpose → last day of the agreement; null: none is stated */
  readonly partners: ReadonlyMap<string, ReadonlyMap<string, string | null>>;
}

export interface ReviewFacts {
  readonly decision_id: string;
  readonly subject: string;
  readonly purpose: string;
  /** milliseconds since 1970 */
  readonly opened_at: number;
  readonly due_at: number;
}

/** Content that was removed from the log: the report is without it. */
export interface RemovalFacts {
  /** RFC 3339 */
  readonly at: string;
  readonly by: string;
  readonly basis: string;
  /** which records, in words */
  readonly filter: string;
  readonly records: number;
}

/** What a system audit asks of the journal and the configuration. */
export interface SystemFacts {
  readonly journal: {
    readonly ok: boolean;
    readonly records: number;
    readonly chains: number;
    readonly archived: number;
    /** the first problem, a sentence */
    readonly problem: string | null;
    /** chains whose head is signed with a key that was given, or not */
    readonly signed: number;
  };
  /** null: no configuration was given */
  readonly configuration: {
    readonly durability: string;
    readonly checkpoints: boolean;
    readonly witnesses: number;
    readonly dataSubjectKey: boolean;
    /** index and sinks */
    readonly copies: readonly string[];
    /** where consents are kept */
    readonly consents: string | null;
  } | null;
}

export interface Thresholds {
  /** how many robust standard deviations above the median are unusual */
  readonly deviations: number;
  /** customers in a day; fewer are never unusual */
  readonly least: number;
  /** callers that looked up one customer */
  readonly callers: number;
  /** steps in order */
  readonly steps: number;
  /** hour at which work begins, and at which it ends */
  readonly hours: readonly [number, number];
  /** without a use */
  readonly days: number;
}

export const THRESHOLDS: Thresholds = {
  deviations: 6,
  least: 20,
  callers: 8,
  steps: 8,
  hours: [8, 20],
  days: 90,
};

export interface Context {
  readonly say: Say;
  readonly language: 'en' | 'zh';
  readonly zone: Zone;
  readonly query: DecisionQuery;
  /** milliseconds since 1970: the end of the period, or now */
  readonly end: number;
  readonly thresholds: Thresholds;
  /** the id of a data subject, as far as it is known; else as in the log */
  readonly plain: (id: string) => string;
  /** null: no list of ids was given */
  readonly listed: number | null;
  /** null: none was given */
  readonly policy: PolicyFacts | null;
  /** open ones; null: there is no store */
  readonly reviews: readonly ReviewFacts[] | null;
  readonly system: SystemFacts | null;
  /** from the whole log: what the content was about is not known any more */
  readonly removals: readonly RemovalFacts[];
  /** an earlier report of the same kind */
  readonly previous: Report | null;
}

/** Takes each decision once, in any order, and then says what it has found. */
export interface Fold {
  add(decision: Decision): void;
  end(): readonly Section[];
}

export type Need = 'data_subject' | 'subject' | 'policy' | 'reviews' | 'system';

export interface ReportKind {
  readonly name: string;
  readonly title: Words;
  /** one line for the list of reports */
  readonly line: Words;
  /** what it cannot do without: a filter, or the policy */
  readonly requires?: readonly Need[];
  /** what it uses if it is there */
  readonly uses?: readonly Need[];
  /** decisions before the period are folded, too */
  readonly looksBack?: true;
  begin(context: Context): Fold;
}
