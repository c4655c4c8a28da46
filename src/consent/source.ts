/** Consents that are looked up elsewhere, in the store or at a service: entries become states at the time of each look-up. */
import { aliasKey, type Alias, type ConsentSource, type DataSubjectState } from '../model/consent.ts';
import type { Logger } from '../observability/logger.ts';
import type { ConsentEntry } from './schema.ts';
import type { States } from './states.ts';
import { unavailable } from './unavailable.ts';

/** Where entries come from. Ids and values are distinct and hold no NUL, and all of them are asked for in one round trip. */
export interface EntrySource {
  /** also without ids: then only whether the source answers matters */
  entries(ids: readonly string[]): Promise<ReadonlyMap<string, ConsentEntry>>;
  /** alias → id */
  aliases?(type: string, values: readonly string[]): Promise<ReadonlyMap<string, string>>;
  ready(): Promise<{ readonly ok: boolean; readonly detail?: string }>;
  close(): Promise<void>;
}

/** What fails is logged once, and told to callers as `consent_unavailable`. */
export function createLookedUpConsents(source: EntrySource, states: States, logger: Logger): ConsentSource {
  let isFailing = false;
  const answered = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      const found = await work();
      if (isFailing) logger.info({}, 'consents can be looked up again');
      isFailing = false;
      return found;
    } catch (err) {
      if (!isFailing)
        logger.error({ err }, 'consents cannot be looked up: requests that need them are refused');
      isFailing = true;
      throw unavailable(err);
    }
  };

  return {
    lookup: (ids, at) =>
      answered(async () => {
        const entries = await source.entries(storable(ids));
        const found = new Map<string, DataSubjectState>();
        for (const [id, entry] of entries) found.set(id, states.resolve(states.prepare(entry), at.getTime()));
        return found;
      }),
    aliases: (values) =>
      answered(async () => {
        const found = new Map<string, string>();
        const asked = [...byType(values)].map(async ([type, texts]) => {
          const ids = (await source.aliases?.(type, storable(texts))) ?? [];
          for (const [text, id] of ids) found.set(aliasKey({ type, text }), id);
        });
        await Promise.all(asked);
        return found;
      }),
    ready: () => source.ready(),
    close: () => source.close(),
  };
}

/** Nobody can be kept under a text with a NUL, and PostgreSQL refuses it. */
const storable = (texts: readonly string[]): readonly string[] => [
  ...new Set(texts.filter((text) => !text.includes('\0'))),
];

function byType(values: readonly Alias[]): ReadonlyMap<string, string[]> {
  const types = new Map<string, string[]>();
  for (const { type, text } of values) {
    const texts = types.get(type);
    if (texts === undefined) types.set(type, [text]);
    else texts.push(text);
  }
  return types;
}
