/**
 * A record as OPA writes decisions to its log. Members that OPA does not have are under `custom`, so that nothing of the record is lost.
 * https://www.openpolicyagent.org/docs/management-decision-logs
 */
import type { CopyMask, DecisionRecord } from '../../model/record.ts';

export interface OpaEvent {
  readonly labels: { readonly [key: string]: string };
  readonly decision_id: string;
  readonly trace_id?: string;
  readonly bundles?: { readonly [name: string]: { readonly revision: string } };
  readonly path: string;
  readonly input?: unknown;
  readonly result: unknown;
  readonly requested_by?: string;
  readonly timestamp: string;
  /** nanoseconds */
  readonly metrics: { readonly [name: string]: number };
  readonly custom: { readonly [name: string]: unknown };
}

/** The parts of a long response share their `decision_id`; `custom.part` and `custom.seq` tell them apart. */
export function opaEvent(
  record: DecisionRecord & CopyMask,
  labels: { readonly [key: string]: string },
): OpaEvent {
  const { decision_id, timestamp, trace_id, input, policy, timings_us, ...custom } = record;
  const { outcome, reasons, kind, request } = record;
  const isDecision = kind === 'disclosure' || kind === 'authzen' || kind === 'mcp';
  return {
    labels: { app: 'sluice', id: record.origin, ...labels },
    decision_id,
    ...(trace_id == null ? {} : { trace_id }),
    ...(policy == null ? {} : { bundles: { [policy.bundle]: { revision: policy.revision } } }),
    path: isDecision ? 'sluice/decision' : `sluice/${kind}`,
    ...(input === null ? {} : { input }),
    result: {
      allow: outcome === 'allowed' || outcome === 'modified' || outcome === 'observed',
      outcome,
      reasons,
    },
    ...(request?.client_ip == null ? {} : { requested_by: request.client_ip }),
    timestamp,
    metrics: Object.fromEntries(
      Object.entries(timings_us ?? {}).map(([stage, us]) => [
        `timer_sluice_${stage}_ns`,
        Math.round(us * 1000),
      ]),
    ),
    custom,
  };
}
