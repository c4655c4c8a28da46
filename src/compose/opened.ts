/** Parts that have been opened, in the order in which they are closed: what was opened last is closed first. */
export class Opened {
  readonly #parts: { close(): unknown }[] = [];

  add<T extends { close(): unknown }>(part: T): T {
    this.#parts.unshift(part);
    return part;
  }

  async close(): Promise<void> {
    for (const part of this.#parts.splice(0)) await part.close();
  }
}

/** Runs `open`. Where it fails, what it had opened by then is closed again. */
export async function opening<T>(open: (opened: Opened) => Promise<T>): Promise<T> {
  const opened = new Opened();
  try {
    return await open(opened);
  } catch (e) {
    await opened.close();
    throw e;
  }
}
