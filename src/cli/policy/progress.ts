/** A bar on stderr while something takes long, if stderr is a terminal; nothing otherwise. */
import { Presets, SingleBar } from 'cli-progress';
import type { Io } from '../io.ts';

export interface Progress {
  add(n?: number): void;
  done(): void;
}

const SILENT: Progress = { add: () => undefined, done: () => undefined };

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
      // The bar takes longer than a step of most work.
      if (value - shown < total / 200 && value < total) return;
      shown = value;
      bar.update(value);
    },
    done: () => bar.stop(),
  };
}
