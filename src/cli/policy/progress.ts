/** A progress bar on stderr for long work, if stderr is a terminal. */
import { Presets, SingleBar } from 'cli-progress';
import { listOrigins } from '../../decision-log/journal/directory.ts';
import type { Io } from '../io.ts';

export interface Progress {
  add(n?: number): void;
  done(): void;
}

const SILENT: Progress = { add: () => undefined, done: () => undefined };

/** Progress of reading journals, by bytes. @throws SluiceError if a journal cannot be read */
export async function journalProgress(io: Io, dirs: readonly string[]): Promise<Progress> {
  const origins = (await Promise.all(dirs.map(listOrigins))).flat();
  const bytes = origins.reduce((n, o) => n + o.segments.reduce((m, s) => m + s.size, 0), 0);
  return progress(io, bytes, 'bytes of the journal');
}

export function progress(io: Io, total: number, what: string): Progress {
  if (io.stderr.isTTY !== true || total === 0) return SILENT;
  const bar = new SingleBar(
    {
      stream: io.stderr,
      clearOnComplete: true,
      hideCursor: true,
      format: `${what} [{bar}] {percentage} % · {value}/{total} · {eta_formatted}`,
    },
    Presets.rect,
  );
  bar.start(total, 0);
  let value = 0;
  let shown = 0;
  return {
    add(n = 1) {
      value += n;
      // Drawing the bar costs more than most steps.
      if (value - shown < total / 200 && value < total) return;
      shown = value;
      bar.update(value);
    },
    done: () => bar.stop(),
  };
}
