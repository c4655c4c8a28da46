/** One serving process, alone or as a worker: its start, and its reload by SIGHUP. */
import { type ComposeDependencies, compose, type Sluice } from '../../compose/compose.ts';
import type { LoadedConfig } from '../../config/index.ts';
import type { Logger } from '../../observability/logger.ts';
import { policyGate } from '../policy/testing/gate.ts';

/** @throws SluiceError errors that prevent a part from starting */
export const start = (
  loaded: LoadedConfig,
  deps: Pick<ComposeDependencies, 'logger' | 'workers'>,
): Promise<Sluice> => compose(loaded, { ...deps, gate: policyGate });

/** Faults are logged where they occur and shown by `/readyz`: the last good policy stays live, consents are unavailable. */
export async function reread(sluice: Sluice, logger: Logger): Promise<void> {
  sluice.consents.refresh?.();
  sluice.identity.refresh();
  await sluice.policy.reload(true);
  const { error, unavailable } = sluice.policy.status();
  const policy = (error ?? unavailable)?.code ?? null;
  const consents = await sluice.consents.ready();
  logger.info(
    { revision: sluice.revision(), policy_error: policy, consents: consents.ok },
    'policy and consents read again',
  );
}
