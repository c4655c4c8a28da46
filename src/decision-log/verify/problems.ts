/** What can be wrong with a journal, and where. */
import type { ChainLink } from '../journal/chain.ts';
import type { RemovalReport } from './removals.ts';

export type ProblemKind =
  | 'line_malformed'
  | 'hash_mismatch'
  | 'masked_copy'
  | 'not_canonical'
  | 'origin_mismatch'
  | 'prev_hash_mismatch'
  | 'records_missing'
  | 'record_repeated'
  | 'shared_missing'
  | 'payload_removed'
  | 'torn_tail'
  | 'tail_missing'
  | 'head_missing'
  | 'head_damaged'
  | 'head_mismatch'
  | 'head_unsigned'
  | 'head_signature_wrong'
  | 'origin_missing'
  | 'anchor_mismatch'
  | 'checkpoint_mismatch'
  | 'file_unreadable'
  | 'archive_unreadable';

export interface Problem {
  readonly what: ProblemKind;
  /** a sentence */
  readonly message: string;
  readonly origin: string;
  readonly file: string | null;
  /** 1-based, in the file */
  readonly line: number | null;
  readonly seq: number | null;
  readonly decision_id: string | null;
}

export interface OriginReport {
  readonly origin: string;
  readonly records: number;
  /** seq of the first and last record; 0 when there is none */
  readonly first: number;
  readonly last: number;
  /** of the last record */
  readonly hash: string;
  readonly from: string | null;
  readonly until: string | null;
  /** the head's signature; `unchecked`: it has one, and no key was given to check it with */
  readonly head: 'signed' | 'unsigned' | 'unchecked' | 'none';
  /** records after the head: written, but not yet covered by it */
  readonly beyond_head: number;
  /** half-written tails that starts moved to the quarantine directory */
  readonly torn_tails: number;
  /** seq up to which records were moved to an archive; 0: none */
  readonly archived: number;
  /** records that cannot be read, because their payload, or that of a shared document, was removed; their place is verified */
  readonly removed: number;
  /** records whose removal was stated and not carried out: it was interrupted */
  readonly unremoved: number;
  /** a process holds the chain */
  readonly live: boolean;
}

export interface VerifyReport {
  readonly ok: boolean;
  readonly records: number;
  readonly origins: readonly OriginReport[];
  /** the first ones, in the order of the chain; see `problems_total` */
  readonly problems: readonly Problem[];
  readonly problems_total: number;
  /** number of given anchors; without one a journal cannot be distinguished from an older copy */
  readonly anchors: number;
  /** number of given checkpoints */
  readonly checkpoints: number;
  /** what was removed, as stated in the journal */
  readonly removals: readonly RemovalReport[];
}

/** Consecutive lines of a chain without their payload. */
interface Run {
  readonly link: ChainLink;
  readonly file: string;
  readonly line: number;
  lines: number;
  last: number;
}

/** Keeps the first hundred problems; later ones are usually consequences of them. */
export class Problems {
  readonly kept: Problem[] = [];
  total = 0;
  readonly #unstated: string;
  #run: Run | null = null;

  /** @param unstated why removed content is a problem: a sentence */
  constructor(unstated: string) {
    this.#unstated = unstated;
  }

  add(problem: Problem): void {
    this.endRun();
    this.total++;
    if (this.kept.length < 100) this.kept.push(problem);
  }

  /** The line has no payload. Consecutive ones are one problem. */
  removed(link: ChainLink, file: string, line: number): void {
    const run = this.#run;
    if (run?.link.origin === link.origin && run.file === file && run.line + run.lines === line) {
      run.lines++;
      run.last = link.seq;
      return;
    }
    this.endRun();
    this.#run = { link, file, line, lines: 1, last: link.seq };
  }

  /** The next line has its payload, or there is no next line. */
  endRun(): void {
    const run = this.#run;
    if (run === null) return;
    this.#run = null;
    const { link, file, line, lines, last } = run;
    const { origin, seq, document } = link;
    const what =
      lines > 1
        ? `The payloads of ${lines} lines were removed, of ${seq === last ? `record ${seq}` : `records ${seq} to ${last}`}`
        : `The payload of ${document === null ? '' : 'a shared document written for '}record ${seq} was removed`;
    const message = `${what}. ${this.#unstated}`;
    this.add({ what: 'payload_removed', message, origin, file, line, seq, decision_id: null });
  }
}
