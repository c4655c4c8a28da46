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
