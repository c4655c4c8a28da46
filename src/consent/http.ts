/**
 * Consents of a service: one POST for all data subjects of a piece of an answer. A service that fails again and again is left alone for a while,
 * so that requests are refused at once.
 */
import type { HttpConsentConfig } from './section.ts';
import { Breaker } from './breaker.ts';
import { entryOf, UNREADABLE } from './entry.ts';
import type { ConsentEntry } from './schema.ts';
import type { EntrySource } from './source.ts';

export function httpEntries(config: HttpConsentConfig): EntrySource {
  const { url, timeout, max_answer, headers } = config;
  const breaker = new Breaker();

  async function ask(ids: readonly string[]): Promise<ReadonlyMap<string, ConsentEntry>> {
    const response = await fetch(url, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json', accept: 'application/json' },
      body: JSON.stringify({ data_subjects: ids }),
      redirect: 'error',
      signal: AbortSignal.timeout(timeout),
    });
    if (response.status !== 200) {
      await response.body?.cancel();
      throw new Error(`the service answered with status ${response.status}`);
    }
    return answered(await textOf(response, max_answer), ids);
  }

  return {
    entries: (ids) => breaker.run(() => ask(ids)),
    async ready() {
      return breaker.isClosed
        ? { ok: true }
        : { ok: false, detail: 'the service of consents failed several times in a row: see the log' };
    },
    close: async () => undefined,
  };
}

/** @throws Error for an answer that is no object of entries */
function answered(text: string, ids: readonly string[]): ReadonlyMap<string, ConsentEntry> {
  const answer: unknown = JSON.parse(text);
  const people =
    typeof answer === 'object' && answer !== null
      ? (answer as { data_subjects?: unknown }).data_subjects
      : null;
  if (typeof people !== 'object' || people === null || Array.isArray(people))
    throw new Error('the answer has no data_subjects (schemas/consent-answer.schema.json)');
  const found = new Map<string, ConsentEntry>();
  for (const id of ids)
    if (Object.hasOwn(people, id))
      found.set(id, entryOf((people as Record<string, unknown>)[id]) ?? UNREADABLE);
  return found;
}

async function textOf({ body }: Response, most: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body ?? []) {
    size += chunk.byteLength;
    if (size > most) throw new Error(`the answer is longer than ${most} bytes (consent.http.max_answer)`);
    chunks.push(chunk);
  }
  return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
}
