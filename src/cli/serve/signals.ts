/** Delays a signal that arrives before its handler exists until the handler is set. */
export class Asked {
  #act: (() => void) | null = null;
  #early = false;

  come(): void {
    if (this.#act === null) this.#early = true;
    else this.#act();
  }

  /** @param act the handler, for the delayed signal and later ones */
  to(act: () => void): void {
    this.#act = act;
    if (this.#early) act();
  }
}

/** From here on SIGHUP does not end the process, even during the start. */
export function hangups(): Asked {
  const asked = new Asked();
  process.on('SIGHUP', () => asked.come());
  return asked;
}

/** Resolves at the first SIGTERM or SIGINT; a second one has its default effect, unless `again` is called before. */
export const untilSignalled = (again?: (signal: NodeJS.Signals) => void): Promise<void> =>
  new Promise((resolve) => {
    const stop = (): void => {
      process.off('SIGTERM', stop).off('SIGINT', stop);
      if (again) process.once('SIGTERM', again).once('SIGINT', again);
      resolve();
    };
    process.on('SIGTERM', stop).on('SIGINT', stop);
  });
