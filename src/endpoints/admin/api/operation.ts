/** What an operation of the admin API is: the same description validates calls and makes the OpenAPI document. */
import type { AccessRequestService } from '../../../changes/access-requests.ts';
import type { ApiKeyChanges } from '../../../changes/api-keys.ts';
import type { Recorder } from '../../../changes/change.ts';
import type { ConsentChanges } from '../../../changes/consents.ts';
import type { DecisionQuestions } from '../../../changes/decisions.ts';
import type { ErasureChanges } from '../../../changes/erasure.ts';
import type { GrantChanges } from '../../../changes/grants.ts';
import type { SubjectHistory } from '../../../changes/history.ts';
import type { LinkChanges } from '../../../changes/links.ts';
import type { RecipientChanges } from '../../../changes/recipients.ts';
import type { ReviewChanges } from '../../../changes/reviews.ts';
import type { RevocationChanges } from '../../../changes/revocations.ts';
import type { VerificationChanges } from '../../../changes/verifications.ts';
import { type Static, type TSchema, Type } from '../../../documents/kinds.ts';
import { type ErrorCode, SluiceError } from '../../../errors.ts';
import type { Given } from '../../../model/administration.ts';
import type { Subject } from '../../../model/input.ts';
import type { OperationName } from '../../../model/operations.ts';
import type { PolicySnapshot } from '../../../model/policy.ts';
import type { Quotas } from '../../../model/quota.ts';
import type { DisclosureSummary } from '../../../model/record.ts';
import { NOTHING_DISCLOSED } from '../../../model/record.ts';

/** What the operations work on. Null: `sluice.yaml` keeps it elsewhere, or there is none. */
export interface AdminServices {
  readonly consents: ConsentChanges | null;
  readonly grants: GrantChanges | null;
  readonly reviews: ReviewChanges;
  readonly revocations: RevocationChanges | null;
  readonly apiKeys: ApiKeyChanges | null;
  readonly erasure: ErasureChanges | null;
  readonly recipients: RecipientChanges;
  /** with the address of the page */
  readonly links: (Pick<LinkChanges, 'create' | 'revoke'> & { readonly url: string }) | null;
  readonly verifications: VerificationChanges | null;
  readonly history: SubjectHistory;
  readonly decisions: DecisionQuestions;
  readonly accessRequests: AccessRequestService | null;
  readonly quotas: Pick<Quotas, 'remaining'>;
  /** the keyed digest of a data subject's id */
  readonly dataSubject: (id: string) => string;
  readonly now: () => Date;
}

/** The call as it is known before the policy is asked. */
export interface Asked<Q = unknown, B = unknown> {
  readonly path: Readonly<Record<string, string>>;
  readonly query: Q;
  readonly body: B;
  readonly caller: Subject;
  readonly services: AdminServices;
}

export interface Call<Q = unknown, B = unknown> extends Asked<Q, B> {
  readonly snapshot: PolicySnapshot;
  readonly recorder: Recorder;
  /** Adds labels to the decision record of the call. */
  label(labels: Readonly<Record<string, string>>): void;
}

export interface Done {
  /** a Uint8Array: JSON already */
  readonly body: object;
  /** default: that of the operation */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** what is kept for a repetition of the call; default: the body, which then holds no secret */
  readonly kept?: object;
  /** absent: nothing of a data subject */
  readonly disclosure?: DisclosureSummary;
}

interface Description {
  readonly name: OperationName;
  /** in the OpenAPI document; default: the name, where one operation has several calls */
  readonly operationId?: string;
  readonly method: 'GET' | 'POST';
  /** `/v1/grants/{id}` */
  readonly path: string;
  readonly summary: string;
  /** meaning of the parameters of the path */
  readonly parameters?: Readonly<Record<string, string>>;
  /** the parameter of the path that is the id of the resource */
  readonly id?: string;
  /** default: 200 */
  readonly status?: 200 | 201 | 202;
  /** the status where nothing had to be done */
  readonly otherwise?: 200;
  readonly answer: TSchema;
  /** what may refuse it, besides what may refuse every call */
  readonly codes: readonly ErrorCode[];
}

export interface Operation extends Description {
  readonly query: TSchema;
  /** null: the call has no body */
  readonly body: TSchema | null;
  /** `subject.id` of the one whose access it is about */
  holder?(asked: Asked): string | undefined | Promise<string | undefined>;
  /** the recipient outside whose demands or notices it is about */
  recipient?(asked: Asked): string | undefined | Promise<string | undefined>;
  /** what it gives to somebody */
  gives?(asked: Asked): Given | undefined | Promise<Given | undefined>;
  /** labels of the record, also where the call is denied */
  labels?(asked: Asked): Readonly<Record<string, string>>;
  run(call: Call): Promise<Done>;
}

const NO_QUERY = Type.Object({}, { additionalProperties: false });

/** Types the calls of an operation by its schemas. */
export function operation<Q extends TSchema = typeof NO_QUERY, B extends TSchema = TSchema>(
  description: Description & {
    readonly query?: Q;
    readonly body?: B;
    holder?(asked: Asked<Static<Q>, Static<B>>): string | undefined | Promise<string | undefined>;
    recipient?(asked: Asked<Static<Q>, Static<B>>): string | undefined | Promise<string | undefined>;
    gives?(asked: Asked<Static<Q>, Static<B>>): Given | undefined | Promise<Given | undefined>;
    labels?(asked: Asked<Static<Q>, Static<B>>): Readonly<Record<string, string>>;
    run(call: Call<Static<Q>, Static<B>>): Promise<Done>;
  },
): Operation {
  return { query: NO_QUERY, body: null, ...description } as Operation;
}

/** @throws SluiceError `admin_unconfigured` */
export function configured<T>(service: T | null, key: string): T {
  if (service !== null) return service;
  throw new SluiceError('admin_unconfigured', `This operation needs ${key} in sluice.yaml.`);
}

/** An answer that names these data subjects. */
export const about = (ids: readonly string[], { dataSubject }: AdminServices): DisclosureSummary => ({
  ...NOTHING_DISCLOSED,
  data_subjects: [...new Set(ids)].map(dataSubject),
});
