/**
 * A record as an event of the Open Cybersecurity Schema Framework, version 1.4.0: class API Activity (6003) of the category Application Activity,
 * with the profile `security_control`, whose actions are the outcomes of a decision. What OCSF has no attribute for is under `unmapped`, so that
 * nothing of the record is lost. https://schema.ocsf.io/1.4.0/classes/api_activity
 */
import type { DecisionRecord, Outcome } from '../../model/record.ts';

const VERSION = '1.4.0';
const CATEGORY = 6;
const CLASS = 6003;
const READ = { id: 2, name: 'Read' };
const ACTIVITIES: Readonly<Record<string, { readonly id: number; readonly name: string }>> = {
  create: { id: 1, name: 'Create' },
  read: READ,
  search: READ,
  export: READ,
  detokenize: READ,
  update: { id: 3, name: 'Update' },
  delete: { id: 4, name: 'Delete' },
};
const OTHER = 99;

const ACTIONS: Readonly<Record<Outcome, { readonly id: number; readonly name: string }>> = {
  allowed: { id: 1, name: 'Allowed' },
  denied: { id: 2, name: 'Denied' },
  observed: { id: 3, name: 'Observed' },
  modified: { id: 4, name: 'Modified' },
  error: { id: OTHER, name: 'Error' },
};

/** `severity_id` Informational: Sluice judges no severity */
const INFORMATIONAL = 1;
const [SUCCESS, FAILURE] = [1, 2];

/** @param version of Sluice */
export function ocsfEvent(record: DecisionRecord, version: string): Readonly<Record<string, unknown>> {
  const { decision_id, timestamp, subject, request, response, policy, resource, origin, seq, ...unmapped } =
    record;
  const { action, kind, outcome, reasons } = record;
  const activity = ACTIVITIES[action ?? ''] ?? { id: OTHER, name: action ?? kind };
  const time = Date.parse(timestamp);
  const isFailure = outcome === 'denied' || outcome === 'error';
  return {
    category_uid: CATEGORY,
    category_name: 'Application Activity',
    class_uid: CLASS,
    class_name: 'API Activity',
    activity_id: activity.id,
    activity_name: activity.name,
    type_uid: CLASS * 100 + activity.id,
    time,
    severity_id: INFORMATIONAL,
    severity: 'Informational',
    status_id: isFailure ? FAILURE : SUCCESS,
    status: isFailure ? 'Failure' : 'Success',
    ...(reasons.length === 0 ? {} : { status_detail: reasons.map(({ code }) => code).join(' ') }),
    action_id: ACTIONS[outcome].id,
    action: ACTIONS[outcome].name,
    metadata: {
      version: VERSION,
      profiles: ['security_control'],
      product: { name: 'Sluice', vendor_name: 'Sluice', version },
      uid: `${origin}:${seq}`,
      correlation_uid: decision_id,
      log_name: origin,
      sequence: seq,
    },
    actor:
      subject === null
        ? { app_name: 'unauthenticated' }
        : {
            user: {
              uid: subject.id,
              type: subject.type,
              type_id: OTHER,
              groups: (subject.properties.roles ?? []).map((name) => ({ name })),
            },
          },
    api: {
      operation: request?.route ?? action ?? kind,
      ...(response === null ? {} : { response: { code: response.status } }),
    },
    // A command has no address.
    src_endpoint: request?.client_ip == null ? { svc_name: 'sluice' } : { ip: request.client_ip },
    ...(request === null ? {} : { http_request: { http_method: request.method } }),
    ...(response === null ? {} : { http_response: { code: response.status } }),
    ...(resource === null
      ? {}
      : { resources: [{ type: resource.type, ...(resource.id === undefined ? {} : { uid: resource.id }) }] }),
    ...(policy === null ? {} : { policy: { name: policy.bundle, uid: policy.revision } }),
    unmapped: { ...unmapped, subject, request, response, resource },
  };
}
