/**
 * Connections on their way to a worker. Node's cluster module forgets one that was dealt to a worker that ended before it
 * took it: the caller would wait for ever, and the primary would keep the socket. Here they are remembered by the numbers of
 * Node's own messages (`lib/internal/cluster`, which has no public name for this) until the worker has answered.
 */
import type { Worker } from 'node:cluster';
import type { EventEmitter } from 'node:events';

interface Connection {
  close(): void;
}

interface Dealt {
  readonly cmd?: string;
  readonly act?: string;
  readonly seq?: number;
  readonly ack?: number;
}

/** The returned function closes what the worker has not taken; to be called when it has ended. */
export function watchHandover({ process: child }: Worker): () => void {
  const dealt = new Map<number, Connection>();
  const send = child.send.bind(child) as (message: Dealt, ...rest: unknown[]) => boolean;
  child.send = ((message: Dealt, connection?: Connection, ...rest: unknown[]) => {
    if (
      message?.cmd === 'NODE_CLUSTER' &&
      message.act === 'newconn' &&
      message.seq !== undefined &&
      connection
    )
      dealt.set(message.seq, connection);
    return send(message, connection, ...rest);
  }) as typeof child.send;
  (child as EventEmitter).on('internalMessage', ({ ack }: Dealt) => {
    if (ack !== undefined) dealt.delete(ack);
  });
  return () => {
    for (const connection of dealt.values()) connection.close();
    dealt.clear();
  };
}
