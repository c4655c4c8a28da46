/** Calls of the admin API of a running Sluice: each answer is checked against the OpenAPI document, each record against its schema. */
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { expect } from 'vitest';
import { openApi } from '../../src/endpoints/admin/api/openapi.ts';
import { ADMIN_OPERATIONS } from '../../src/endpoints/admin/api/operations.ts';
import type { OperationName } from '../../src/model/operations.ts';
import type { DecisionRecord } from '../../src/model/record.ts';
import { faultsBy } from '../cli/support.ts';
import { recordsOf } from './journals.ts';
import type { Running } from './sluice.ts';

export interface Answered {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Record<string, unknown> & { readonly code?: string };
  readonly record: DecisionRecord;
  readonly records: readonly DecisionRecord[];
}

const ajv = new Ajv2020({ strict: false });
formats.default(ajv, ['date-time']);
ajv.addSchema({ $id: 'api', ...openApi() });
/** Each answer is what the OpenAPI document says. */
function expectDescribed(name: string, status: number, body: unknown): void {
  const { path, method } = ADMIN_OPERATIONS.find((o) => o.name === name)!;
  const place = ['paths', path, method.toLowerCase(), 'responses', String(status), 'content'];
  const type = status < 300 ? 'application/json' : 'application/problem+json';
  const pointer = [...place, type, 'schema']
    .map((s) => s.replaceAll('~', '~0').replaceAll('/', '~1'))
    .join('/');
  const validate = ajv.getSchema(`api#/${encodeURI(pointer)}`)!;
  expect({ name, status, valid: validate(body), errors: validate.errors }).toEqual({
    name,
    status,
    valid: true,
    errors: null,
  });
}

export class Api {
  readonly running: Running;
  constructor(running: Running) {
    this.running = running;
  }

  token(sub: string, roles: readonly string[], more: object = {}): Promise<string> {
    return this.running.issuer.sign({ sub, roles, org: 'internal', amr: ['pwd', 'otp'], ...more });
  }

  async call(
    token: string | null,
    name: OperationName,
    parameters: Readonly<Record<string, string>> = {},
    sent: {
      readonly body?: unknown;
      readonly query?: string;
      readonly headers?: Record<string, string>;
    } = {},
  ): Promise<Answered> {
    const { path, method } = ADMIN_OPERATIONS.find((o) => o.name === name)!;
    const filled = path.replaceAll(/\{(\w+)\}/g, (_, p: string) => encodeURIComponent(parameters[p]!));
    const answered = await this.raw(token, method, `${filled}${sent.query ?? ''}`, sent);
    expectDescribed(name, answered.status, answered.body);
    return answered;
  }

  async raw(
    token: string | null,
    method: string,
    path: string,
    { body, headers = {} }: { readonly body?: unknown; readonly headers?: Record<string, string> } = {},
  ): Promise<Answered> {
    const response = await fetch(`http://127.0.0.1:${this.running.adminPort}${path}`, {
      method,
      headers: {
        ...(token === null ? {} : { Authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const id = response.headers.get('sluice-decision-id')!;
    const records = recordsOf(this.running.journal).filter((r) => r.decision_id === id);
    for (const record of records) expect(faultsBy('decision-record.schema.json', record)).toBeNull();
    return {
      status: response.status,
      headers: response.headers,
      body: (await response.json()) as Answered['body'],
      record: records[0]!,
      records,
    };
  }
}
