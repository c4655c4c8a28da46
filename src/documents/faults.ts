/** What is wrong in a document: one type of fault for every file that Sluice reads, and one error that tells all of them. */
import { type ErrorCode, SluiceError } from '../errors.ts';

/** `['routes', 2, 'upstream']` */
export type Path = readonly (string | number)[];

/** counted from 1 */
export interface Place {
  readonly line: number;
  readonly column: number;
}

export interface Fault extends Partial<Place> {
  readonly file?: string;
  /** which value of the document, where the message does not say it */
  readonly path?: Path;
  readonly message: string;
}

export interface PlacedFault extends Fault, Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** Collects faults of one document, of which it knows the places. */
export type Report = (path: Path, message: string) => void;

/** `routes[2].upstream` */
export const spellPath = (path: Path): string =>
  path
    .map((step, i) => {
      if (typeof step === 'number') return `[${step}]`;
      if (!/^[A-Za-z_][\w-]*$/.test(step)) return `[${JSON.stringify(step)}]`;
      return i === 0 ? step : `.${step}`;
    })
    .join('');

/** A fault without its place: `routes[2].upstream: no upstream named "crn"; did you mean "crm"?` */
export const sentenceOf = ({ path = [], message }: Fault): string =>
  path.length === 0 ? message : `${spellPath(path)}: ${message}`;

/** `sluice.yaml:14:7: routes[2].upstream: no upstream named "crn"; did you mean "crm"?` */
export const spellFault = (fault: Fault): string => {
  const { file, line, column } = fault;
  const place = [file, line, column].filter((part) => part !== undefined).join(':');
  return place === '' ? sentenceOf(fault) : `${place}: ${sentenceOf(fault)}`;
};

/** in the order of their places in one file */
export const inOrder = (faults: readonly Fault[]): readonly Fault[] =>
  faults.toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0));

const carried = new WeakMap<SluiceError, readonly Fault[]>();

export interface Wording {
  /** the line before several faults: `faults in the configuration` */
  readonly heading?: string;
  /** the line after them */
  readonly advice?: string;
}

/** One error for all faults, a line each; `at` is the first place. */
export function faultError(
  code: ErrorCode,
  faults: readonly Fault[],
  { heading, advice }: Wording = {},
): SluiceError {
  const first = faults.find((f) => f.file !== undefined);
  const error = new SluiceError(code, {
    message: [
      ...(heading === undefined || faults.length === 1 ? [] : [`${faults.length} ${heading}:`]),
      ...faults.map(spellFault),
      ...(advice === undefined ? [] : [advice]),
    ].join('\n'),
    ...(first?.file === undefined
      ? {}
      : {
          at: {
            file: first.file,
            ...(first.line === undefined ? {} : { line: first.line }),
            ...(first.column === undefined ? {} : { column: first.column }),
          },
        }),
  });
  carried.set(error, faults);
  return error;
}

/** The faults that an error of `faultError` tells; of any other, itself as one. */
export const faultsIn = (e: SluiceError): readonly Fault[] =>
  carried.get(e) ?? [
    {
      ...(e.at === undefined ? {} : { file: e.at.file }),
      ...(e.at?.line === undefined ? {} : { line: e.at.line }),
      ...(e.at?.column === undefined ? {} : { column: e.at.column }),
      message: e.message,
    },
  ];
