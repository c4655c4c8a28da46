/** A command run in process: what it wrote, and the exit code it ended with. */
import { Readable, Writable } from 'node:stream';
import type { Io } from '../../src/cli/io.ts';
import { run } from '../../src/cli/run.ts';

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export async function runCommand(
  argv: readonly string[],
  over: { cwd?: string; env?: Io['env']; columns?: number } = {},
): Promise<Ran> {
  const text = { stdout: '', stderr: '' };
  const sink = (name: 'stdout' | 'stderr', columns?: number) =>
    Object.assign(
      new Writable({
        write(chunk, _encoding, done) {
          text[name] += String(chunk);
          done();
        },
      }),
      columns === undefined ? {} : { columns },
    );
  const code = await run(argv, {
    stdout: sink('stdout', over.columns),
    stderr: sink('stderr'),
    stdin: Readable.from([]),
    env: over.env ?? {},
    cwd: over.cwd ?? process.cwd(),
    exitCode: 0,
  });
  return { code, ...text };
}
