/** The admin listener (Express): health, readiness, metrics. It listens beside the proxy, on an address of its own. */
import express, { type Express } from 'express';
import type { Metrics } from '../observability/metrics.ts';

export interface Finding {
  readonly ok: boolean;
  /** it serves, and somebody must look at it: one bad push must not take every replica out of service */
  readonly degraded?: boolean;
  readonly detail?: unknown;
}

export interface Check {
  readonly name: string;
  /** never throws; `detail` is shown to operators */
  run(): Promise<Finding>;
}

export interface AdminDependencies {
  readonly metrics: Metrics;
  readonly checks: readonly Check[];
  readonly version: string;
  /** further routes: each mounts itself */
  readonly extensions?: readonly ((app: Express) => void)[];
}

const READY_TIMEOUT_MS = 3_000;

export function createAdmin({ metrics, checks, version, extensions = [] }: AdminDependencies): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.use((_req, res, next) => {
    res.set('Cache-Control', 'no-store');
    res.set('X-Content-Type-Options', 'nosniff');
    next();
  });

  app.get('/healthz', (_req, res) => {
    res.json({ status: 'alive', version });
  });

  app.get('/readyz', async (_req, res) => {
    const results = await Promise.all(
      checks.map(async (check) => [check.name, await withinTime(check)] as const),
    );
    const ok = results.every(([, r]) => r.ok);
    const status = !ok ? 'not ready' : results.some(([, r]) => r.degraded) ? 'degraded' : 'ready';
    res.status(ok ? 200 : 503).json({ status, checks: Object.fromEntries(results) });
  });

  app.get('/metrics', async (_req, res) => {
    res.type(metrics.registry.contentType).send(await metrics.registry.metrics());
  });

  for (const extend of extensions) extend(app);

  app.use((_req, res) => {
    res.status(404).type('application/problem+json').send({ title: 'No such page', status: 404 });
  });
  app.use((error: unknown, _req: express.Request, res: express.Response, _next: express.NextFunction) => {
    const status = (error as { status?: number }).status ?? 500;
    res.status(status).type('application/problem+json').send({ title: 'The request failed', status });
  });
  return app;
}

async function withinTime(check: Check): Promise<Finding> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Finding>((resolve) => {
    timer = setTimeout(
      () => resolve({ ok: false, detail: `no answer within ${READY_TIMEOUT_MS} ms` }),
      READY_TIMEOUT_MS,
    );
  });
  try {
    return await Promise.race([check.run(), late]);
  } catch (e) {
    return { ok: false, detail: (e as { code?: string }).code ?? 'failed' };
  } finally {
    clearTimeout(timer);
  }
}
