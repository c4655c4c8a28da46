import { SluiceError } from '../../../errors.ts';

/** What became of one test or scenario, whatever ran it. */
export interface Outcome {
  /** what ran: a package of Rego tests, or a file of scenarios */
  readonly suite: string;
  readonly name: string;
  readonly file: string;
  readonly line: number;
  readonly state: 'passed' | 'failed' | 'skipped';
  readonly milliseconds: number;
  /** one sentence each; empty if it passed */
  readonly problems: readonly string[];
  /** what `print()` said */
  readonly printed?: string;
  /** of a unit test: why the engine that decides could not run it, so that OPA's interpreter alone has judged it */
  readonly unrun?: string;
}

export type Wanted = (name: string) => boolean;

/** `--filter`: a part of the name, in any case, or `/pattern/` */
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
