/** What `sluice/admin` is asked about a call of the admin API, and what it answers. */
import type { Reason } from './answers.ts';
import type { OperationName } from './operations.ts';
import type { Subject } from './input.ts';

/** What a call gives to somebody: an API key, with which they are who is named here. */
export interface Given {
  readonly clearance: number | null;
  /** until it expires */
  readonly days: number;
  readonly organization: string;
  /** sorted */
  readonly roles: readonly string[];
  /** `subject.id` */
  readonly subject: string;
  readonly subject_type: string;
}

export interface AdminInput {
  readonly action: {
    readonly name: OperationName;
    /** whether it changes what is in force */
    readonly properties: { readonly changes: boolean };
  };
  readonly context: {
    readonly request: { readonly client_ip: string | null; readonly method: string; readonly route: string };
    /** RFC 3339, UTC */
    readonly time: string;
  };
  readonly resource: {
    /** `consents`, `grants`, `keys` … */
    readonly type: string;
    readonly id?: string;
    /** `holder`: `subject.id` of the one whose access it is about; absent: it is about nobody's, or there is no such thing. `recipient`: likewise, of demands and notices */
    readonly properties: { readonly gives?: Given; readonly holder?: string; readonly recipient?: string };
  };
  readonly subject: Subject;
}

export interface AdminAnswer {
  readonly allow: boolean;
  readonly reasons: readonly Reason[];
  /** the stronger authentication that would be enough; null: none would */
  readonly step_up: string | null;
}
