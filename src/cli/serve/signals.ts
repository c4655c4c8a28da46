/** What is asked for before there is something to do it is done then. */
export class Asked {
  #act: (() => void) | null = null;
  #early = false;

  come(): void {
    if (this.#act === null) this.#early = true;
    else this.#act();
  }

  /** @param act does it, now and later */
  to(act: () => void): void {
    this.#act = act;
    if (this.#early) act();
  }
}

/** From here on SIGHUP does not end the process, also while it starts. */
export function hangups(): Asked {
  const asked = new Asked();
  process.on('SIGHUP', () => asked.come());
  return asked;
}

/** Resolves at the first SIGTERM or SIGINT; the second one then does what it does to any process, unless `again` comes first. */
export const untilSignalled = (again?: (signal: NodeJS.Signals) => void): Promise<void> =>
  new Promise((resolve) => {
    const stop = (): void => {
      process.off('SIGTERM', stop).off('SIGINT', stop);
      if (again) process.once('SIGTERM', again).once('SIGINT', again);
      resolve();
    };
    process.on('SIGTERM', stop).on('SIGINT', stop);
  });
