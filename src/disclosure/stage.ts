/**
 * The disclosure stage: `createDisclosureStage(…).disclose(body, plan)` turns a body into parts that may be released, each with a summary of
 * what was done to it. See `README.md` for the flow.
 */
import { SluiceError } from '../errors.ts';
import type { DisclosurePart, DisclosurePlan, DisclosureStage, FormatName } from '../model/disclosure.ts';
import { CatalogCache } from './fields/catalogs.ts';
import { digestBy } from './session/digest.ts';
import type { DisclosureLimits, Format } from './formats/format.ts';
import { FORMATS } from './formats/formats.ts';
import { DEFAULT_LIMITS } from './limits.ts';
import { IdleTimer } from './session/idle-timer.ts';
import { Session } from './session/engine.ts';
import { runEndless } from './session/endless.ts';
import { TREATMENT_FILES } from './treatments/registry.ts';
import type { Treatment, TreatmentKeys } from './treatments/treatment.ts';

export interface DisclosureDependencies {
  readonly keys: TreatmentKeys;
  /** the decision log's keyed digest of a data subject's id */
  readonly dataSubject?: (id: string) => string;
  readonly limits?: Partial<DisclosureLimits>;
  /** in addition to the built-in ones; one with the same name replaces the built-in one */
  readonly treatments?: readonly Treatment[];
  readonly formats?: readonly Format[];
}

/** Chunks are processed in slices of this many bytes, so that parts can be released before a large chunk is done. */
const SLICE = 256 * 1024;

export function createDisclosureStage(dependencies: DisclosureDependencies): DisclosureStage {
  const limits = { ...DEFAULT_LIMITS, ...dependencies.limits };
  const treatments = [...TREATMENT_FILES, ...(dependencies.treatments ?? [])];
  const shared = {
    keys: dependencies.keys,
    limits,
    treatments: new Map(treatments.map((treatment) => [treatment.name as string, treatment])),
    catalogs: new CatalogCache(),
    dataSubject: dependencies.dataSubject ?? digestBy(dependencies.keys),
  };
  const formats = new Map<FormatName, Format>(
    [...FORMATS, ...(dependencies.formats ?? [])].map((format) => [format.name, format]),
  );

  const open = (plan: DisclosurePlan): Session => {
    const format = formats.get(plan.format);
    if (!format) {
      throw new SluiceError('response_format_unsupported', `There is no format ${plan.format}.`);
    }
    return new Session(format, plan, shared);
  };

  return {
    disclose(body, plan) {
      const endless = formats.get(plan.format)?.endless?.(limits);
      return endless === undefined ? run(open(plan), body, limits) : runEndless(endless, open, body, plan);
    },
    discloseBuffer(body, plan) {
      const session = open(plan);
      const done = session.pushAll(body);
      return done instanceof Promise ? done.then(() => session.take()) : session.take();
    },
  };
}

export type { DisclosurePlan };

async function* run(
  session: Session,
  body: AsyncIterable<Uint8Array>,
  limits: DisclosureLimits,
): AsyncGenerator<DisclosurePart, void, void> {
  const chunks = body[Symbol.asyncIterator]();
  const idle = new IdleTimer(limits.idle_ms);
  let over = false;
  try {
    while (true) {
      const next = chunks.next();
      // bytes that can be released do not wait for an upstream that is silent
      if (session.ready && !(await idle.with(next))) {
        session.cut(false);
        for (const part of session.take()) yield part;
      }
      const { done, value } = await next;
      if (done === true) break;
      for (let from = 0; from < value.length; from += SLICE) {
        await session.push(from === 0 && value.length <= SLICE ? value : value.subarray(from, from + SLICE));
        for (const part of session.take()) yield part;
        if (session.over) break;
      }
      if (session.over) break;
    }
    over = !session.over;
    await session.end();
    for (const part of session.take()) yield part;
  } finally {
    idle.end();
    if (!over) await chunks.return?.();
  }
}
