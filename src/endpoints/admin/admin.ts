/** The admin listener (Express): health, readiness, metrics. It has an address of its own. */
import express, { type Express } from 'express';
import type { Metrics } from '../../observability/metrics.ts';
import { summed } from '../../observability/totals.ts';
import {
  type Reports,
  type Finding,
  livenessOf,
  type ReportKind,
  type Readiness,
  type Respond,
  statusOfChecks,
  type Workers,
  worstOf,
} from './workers.ts';

/** Mounts an endpoint on the admin listener. */
export type AdminEndpoint = (app: Express) => void;

export interface Check {
  readonly name: string;
  /** `detail` is shown to operators */
  run(): Promise<Finding>;
}

export interface AdminDependencies {
  readonly metrics: Metrics;
  readonly checks: readonly Check[];
  readonly version: string;
  /** absent: a single process; else health, readiness and metrics are those of all workers */
  readonly workers?: Workers | undefined;
  /** beside health, readiness and metrics */
  readonly endpoints?: readonly AdminEndpoint[];
}

const READY_TIMEOUT_MS = 3_000;

export function createAdmin(deps: AdminDependencies): Express {
  const { metrics, checks, version, workers, endpoints = [] } = deps;
  const own: { readonly [Q in ReportKind]: () => Promise<Reports[Q]> } = {
    alive: async () => null,
    ready: () => readinessOf(checks),
    metrics: () => metrics.report(),
  };
  workers?.responds(((question: ReportKind) => own[question]()) as Respond);

  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.use((_req, res, next) => {
    res.set('Cache-Control', 'no-store');
    res.set('X-Content-Type-Options', 'nosniff');
    next();
  });

  app.get('/healthz', async (_req, res) => {
    if (workers === undefined) return void res.json({ status: 'alive', version });
    const { ok, workers: states } = livenessOf(await workers.gather('alive'));
    res.status(ok ? 200 : 503).json({ status: ok ? 'alive' : 'not answering', version, workers: states });
  });

  app.get('/readyz', async (_req, res) => {
    const found = workers === undefined ? await own.ready() : worstOf(await workers.gather('ready'));
    res.status(found.status === 'not ready' ? 503 : 200).json(found);
  });

  app.get('/metrics', async (_req, res) => {
    const page =
      workers === undefined
        ? await metrics.registry.metrics()
        : await summed(
            (await workers.gather('metrics')).flatMap((r) => (r.state === 'up' ? [r.answer] : [])),
          );
    res.type(metrics.registry.contentType).send(page);
  });

  for (const mount of endpoints) mount(app);

  app.use((_req, res) => {
    res.status(404).type('application/problem+json').send({ title: 'No such page', status: 404 });
  });
  app.use((error: unknown, _req: express.Request, res: express.Response, _next: express.NextFunction) => {
    const status = (error as { status?: number }).status ?? 500;
    res.status(status).type('application/problem+json').send({ title: 'The request failed', status });
  });
  return app;
}

async function readinessOf(checks: readonly Check[]): Promise<Readiness> {
  const results = await Promise.all(
    checks.map(async (check) => [check.name, await withinTime(check)] as const),
  );
  return { status: statusOfChecks(results.map(([, r]) => r)), checks: Object.fromEntries(results) };
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
