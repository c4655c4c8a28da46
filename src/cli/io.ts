/** The environment of a command (output, files, time), so that a test can run any command in process. */
export interface Io {
  readonly stdout: NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean };
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly env: { readonly [name: string]: string | undefined };
  readonly cwd: string;
  /** 0 success, 1 negative result, 2 wrong usage, 3 could not run; a command sets 1 itself, thrown errors become 2 or 3 */
  exitCode: 0 | 1 | 2 | 3;
}

/** True if output may have colours: https://no-color.org */
export const colourful = ({ stdout, env }: Io): boolean => stdout.isTTY === true && !env['NO_COLOR'];

export const processIo = (): Io => ({
  stdout: process.stdout,
  stderr: process.stderr,
  stdin: process.stdin,
  env: process.env,
  cwd: process.cwd(),
  exitCode: 0,
});

export const printJson = (value: object, io: Io): void =>
  void io.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
