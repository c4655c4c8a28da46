/** Calls under way in a session, so that one can be cancelled, and so that no two have the same id. */
import { invalid, type Message } from './message.ts';

interface Calling {
  /** of the message at the MCP server */
  readonly id: string;
  abort(): void;
  onAbort(listener: () => void): void;
}

/** by session and id of the caller */
export type InFlight = Map<string, Calling>;

/** Without sessions ids need be unique for their sender alone, whom nothing names. */
export async function tracked(
  at: {
    readonly inFlight: InFlight;
    readonly session: string | null;
    readonly message: Message;
    readonly entry: { readonly id: string };
  },
  serve: () => Promise<void>,
): Promise<void> {
  const { inFlight, session, message, entry } = at;
  if (session === null || message.id === null) return serve();
  const key = JSON.stringify([session, JSON.parse(message.id)]);
  if (inFlight.has(key)) throw invalid('Another call under way in this session has the same id.');
  let isAborted = false;
  const listeners: (() => void)[] = [];
  inFlight.set(key, {
    id: entry.id,
    abort() {
      isAborted = true;
      for (const listener of listeners) listener();
    },
    onAbort: (listener) => (isAborted ? listener() : void listeners.push(listener)),
  });
  try {
    await serve();
  } finally {
    inFlight.delete(key);
  }
}
