/** The connection to one Redis, or to the nodes of a Redis Cluster, of which the client finds out who serves which key. */
import { createClient, createCluster } from '@redis/client';
import { SluiceError } from '../errors.ts';
import type { Logger } from '../observability/logger.ts';

export interface ScriptCall {
  /** in one slot of a cluster */
  readonly keys: string[];
  readonly arguments: string[];
}

export interface Connection {
  /** Resolves when Redis has answered for the first time, or failed to: Sluice connects in the background until it does. */
  readonly tried: Promise<unknown>;
  eval(script: string, call: ScriptCall): Promise<unknown>;
  evalSha(digest: string, call: ScriptCall): Promise<unknown>;
  /** of all nodes that serve keys */
  ping(): Promise<unknown>;
  close(): void;
}

/** A failed node is looked for again among the others, which may have a replica in its place. */
const RETRY_MS = 500;

/**
 * @param urls several: nodes of a cluster
 * @param timeout milliseconds in which a connection is made
 * @throws SluiceError `config_invalid`
 */
export function connectRedis(urls: readonly string[], timeout: number, logger: Logger): Connection {
  if (!urls.every((url) => /^rediss?:\/\/./.test(url) && URL.canParse(url)))
    throw new SluiceError('config_invalid', 'quotas.redis is no redis:// or rediss:// URL.');
  const settings = {
    // A command that waits for a connection would keep its request waiting.
    disableOfflineQueue: true,
    // Finds out that a connection is dead also where nobody closed it.
    pingInterval: 1_000,
  };
  const socket = {
    connectTimeout: timeout,
    reconnectStrategy: (retries: number) => Math.min(50 * 2 ** Math.min(retries, 5), 1_000),
    socketTimeout: 5_000,
  };
  let isDown = false;
  const down = (err: unknown): void => {
    if (!isDown) logger.warn({ err }, 'the quota store (Redis) does not answer: requests are refused');
    isDown = true;
  };
  const up = (): void => {
    if (isDown) logger.info({}, 'the quota store (Redis) answers again');
    isDown = false;
  };
  return urls.length === 1 ? single(urls[0]!) : cluster();

  function single(url: string): Connection {
    const client = createClient({ url, ...settings, socket });
    const tried = new Promise((resolve) => client.once('ready', resolve).once('error', resolve));
    client.on('error', down).on('ready', up);
    void client.connect().catch((err: unknown) => {
      logger.error({ err }, 'the quota store (Redis) cannot be connected to');
    });
    return {
      tried,
      eval: (script, call) => client.eval(script, call),
      evalSha: (digest, call) => client.evalSha(digest, call),
      ping: () => client.ping(),
      close: () => client.destroy(),
    };
  }

  function cluster(): Connection {
    const { username, password, protocol } = new URL(urls[0]!);
    const client = createCluster({
      rootNodes: urls.map((url) => ({ url, socket: { connectTimeout: timeout, reconnectStrategy: false } })),
      // The other nodes are reached as the first one is.
      defaults: {
        ...settings,
        ...(username === '' ? {} : { username: decodeURIComponent(username) }),
        ...(password === '' ? {} : { password: decodeURIComponent(password) }),
        socket: protocol === 'rediss:' ? { ...socket, tls: true } : socket,
      },
      topologyRefreshOnReconnectionAttemptStrategy: RETRY_MS,
    });
    client.on('error', down).on('node-error', down).on('node-ready', up);
    let timer: NodeJS.Timeout | undefined;
    let isClosed = false;
    // Unlike a client, a cluster does not try again by itself until it has found its nodes.
    const connect = async (): Promise<void> => {
      try {
        await client.connect();
      } catch (err) {
        down(err);
        if (!isClosed) timer = setTimeout(() => void connect(), RETRY_MS).unref();
      }
    };
    return {
      tried: connect(),
      eval: (script, call) => client.eval(script, call),
      evalSha: (digest, call) => client.evalSha(digest, call),
      async ping() {
        if (client.masters.length === 0) throw new Error('no node of the cluster has answered yet');
        await Promise.all(client.masters.map(async (node) => (await client.nodeClient(node)).ping()));
      },
      close() {
        isClosed = true;
        clearTimeout(timer);
        client.destroy();
      },
    };
  }
}
