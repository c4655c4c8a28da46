/** What a conformance runner says about one case. */
export interface Outcome {
  readonly name: string;
  readonly status: 'passed' | 'failed' | 'skipped';
  /** why it failed or was skipped */
  readonly reason?: string;
  /** it passed because what it asks for is refused by design: the names */
  readonly refused?: readonly string[];
}

/** Reads one kind of folder. */
export interface Runner {
  readonly name: string;
  /** true if the folder holds cases of this kind */
  accepts(folder: string): Promise<boolean>;
  run(folder: string): AsyncIterable<Outcome>;
}
