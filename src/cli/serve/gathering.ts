/** Forwards queries of the admin listener to every worker, and keeps the counts of ended workers. */
import { kept, type MetricsReport } from '../../observability/totals.ts';
import type { Reports, ReportKind, WorkerReport } from '../../endpoints/admin/workers.ts';
import { type Crew, type Slot, serves } from './crew.ts';

/** milliseconds; longer than the timeout of a worker's own checks */
const PATIENCE = 4_000;

export class Gathering {
  readonly #crew: () => Crew;
  readonly #waiting = new Map<
    number,
    { readonly of: Slot; settle(answer: { readonly is: unknown } | null): void }
  >();
  readonly #last = new Map<Slot, MetricsReport>();
  #gone: Promise<MetricsReport> = Promise.resolve([]);
  #nextId = 1;

  constructor(crew: () => Crew) {
    this.#crew = crew;
  }

  answered(id: number, answer: unknown): void {
    this.#waiting.get(id)?.settle({ is: answer });
  }

  /** The last reported counts are kept. Later ones are lost with the process. */
  ended(slot: Slot): void {
    const last = this.#last.get(slot);
    this.#last.delete(slot);
    for (const { of, settle } of [...this.#waiting.values()]) if (of === slot) settle(null);
    if (last !== undefined) this.#gone = this.#gone.then((gone) => kept([gone, last]));
  }

  async gather(question: ReportKind): Promise<readonly WorkerReport<ReportKind>[]> {
    const reports = await Promise.all(this.#crew().slots.map((slot) => this.#ask(slot, question)));
    return question === 'metrics' ? [...reports, await this.#own(reports)] : reports;
  }

  async #ask(slot: Slot, question: ReportKind): Promise<WorkerReport<ReportKind>> {
    const { number: worker, detail } = slot;
    const crew = this.#crew();
    if (!serves(slot)) return { worker, state: 'down', detail };
    const id = this.#nextId++;
    const process = slot.worker;
    const answer = await new Promise<{ readonly is: unknown } | null>((resolve) => {
      const settle = (is: { readonly is: unknown } | null): void => {
        clearTimeout(timer);
        this.#waiting.delete(id);
        resolve(is);
      };
      const timer = setTimeout(settle, PATIENCE, null);
      this.#waiting.set(id, { of: slot, settle });
      crew.tell(slot, { say: 'asked', id, question });
    });
    if (answer === null)
      return slot.worker === process
        ? { worker, state: 'silent', detail: `no answer within ${PATIENCE} ms` }
        : { worker, state: 'down', detail: slot.detail };
    // A reply that arrives just before the end of its process still counts.
    if (question === 'metrics' && slot.worker === process) this.#last.set(slot, answer.is as MetricsReport);
    return { worker, state: 'up', answer: answer.is as Reports[ReportKind] };
  }

  /** The primary's metrics, in the form of a worker's. */
  async #own(reports: readonly WorkerReport<ReportKind>[]): Promise<WorkerReport<'metrics'>> {
    const { slots } = this.#crew();
    const silent = slots.filter((slot) => reports.find((r) => r.worker === slot.number)?.state === 'silent');
    const still = silent.flatMap((slot) => this.#last.get(slot) ?? []);
    const answer: MetricsReport = [
      ...(await kept([await this.#gone, still])),
      metric('sluice_workers', 'gauge', 'Workers that serve.', slots.filter((s) => s.state === 'up').length),
      metric(
        'sluice_worker_restarts_total',
        'counter',
        'Workers that ended and were started again.',
        slots.reduce((n, slot) => n + slot.restarts, 0),
      ),
    ];
    return { worker: 0, state: 'up', answer };
  }
}

const metric = (name: string, type: string, help: string, value: number): MetricsReport[number] => ({
  name,
  help,
  type,
  aggregator: 'sum',
  values: [{ value, labels: {} }],
});
