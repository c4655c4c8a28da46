import { SluiceError } from '../../../errors.ts';

/** The result of one test or scenario. */
export interface Outcome {
  /** its group: a package of Rego tests, or a file of scenarios */
  readonly suite: string;
  readonly name: string;
  readonly file: string;
  readonly line: number;
  readonly state: 'passed' | 'failed' | 'skipped';
  readonly milliseconds: number;
  /** one sentence for each failure; empty if it passed */
  readonly problems: readonly string[];
  /** output of `print()` */
  readonly printed?: string;
  /** unit tests: why the production engine could not run it, so that only OPA's interpreter did */
  readonly unrun?: string;
}

export type Wanted = (name: string) => boolean;

/** `--filter`: a part of the name, case-insensitive, or `/pattern/` */
export function wantedBy(filter: string | undefined): Wanted {
  if (filter === undefined) return () => true;
  const pattern = /^\/(.*)\/$/.exec(filter)?.[1];
  if (pattern !== undefined) {
    const expression = expressionOf(pattern);
    return (name) => expression.test(name);
  }
  const text = filter.toLowerCase();
  return (name) => name.toLowerCase().includes(text);
}

function expressionOf(pattern: string): RegExp {
  try {
    return new RegExp(pattern, 'iu');
  } catch (cause) {
    throw new SluiceError('usage_invalid', {
      message: `--filter /${pattern}/ is no regular expression: ${cause instanceof Error ? cause.message : ''}`,
      cause,
    });
  }
}
