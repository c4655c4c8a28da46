/** Measures the phases of a command, some of which overlap. */
export class Timings {
  readonly #phases = new Map<string, number>();
  readonly #began = performance.now();

  /** @returns the result of the work; phases with the same name are added */
  async of<T>(phase: string, work: () => Promise<T>): Promise<T> {
    const began = performance.now();
    try {
      return await work();
    } finally {
      this.#phases.set(phase, (this.#phases.get(phase) ?? 0) + performance.now() - began);
    }
  }

  /** milliseconds */
  all(): readonly { readonly phase: string; readonly milliseconds: number }[] {
    const rounded = (ms: number): number => Math.round(ms * 10) / 10;
    return [
      ...[...this.#phases].map(([phase, ms]) => ({ phase, milliseconds: rounded(ms) })),
      {
        phase: 'all, with what runs side by side counted once',
        milliseconds: rounded(performance.now() - this.#began),
      },
    ];
  }
}
