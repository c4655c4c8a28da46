/** The OpenAPI document of the admin API (OpenAPI 3.1), made of the schemas that validate its calls. */
import { type TSchema, Type } from '../../../documents/kinds.ts';
import type { ErrorCode } from '../../../errors.ts';
import { CHANGES } from '../../../model/operations.ts';
import { statusOf } from '../../problems.ts';
import type { Operation } from './operation.ts';
import { ADMIN_OPERATIONS } from './operations.ts';
import { object } from './schemas.ts';

/** What may refuse every call. */
const ALWAYS: readonly ErrorCode[] = [
  'input_invalid',
  'token_missing',
  'token_expired',
  'token_revoked',
  'policy_denied',
  'keys_unavailable',
  'store_unavailable',
  'store_read_only',
  'journal_unwritable',
];
const OF_BODIES: readonly ErrorCode[] = ['body_unreadable', 'body_too_large', 'body_encoding_unsupported'];
const OF_CHANGES: readonly ErrorCode[] = [
  'admin_unconfigured',
  'idempotency_key_invalid',
  'idempotency_key_reused',
  'idempotency_pending',
  'idempotency_unknown',
];

const problem = object(
  {
    type: Type.String(),
    title: Type.String(),
    status: Type.Integer(),
    code: Type.String({ description: 'stable: docs/errors.md' }),
    detail: Type.String(),
    decision_id: Type.String(),
    reasons: Type.Array(object({ code: Type.String(), message: Type.Optional(Type.String()) })),
    paths: Type.Optional(Type.Array(Type.String())),
  },
  { description: 'RFC 9457' },
);

const DECISION_ID = { $ref: '#/components/headers/Sluice-Decision-Id' };

let made: object | undefined;

export function openApi(): object {
  made ??= {
    openapi: '3.1.0',
    info: {
      title: 'Sluice: admin API',
      version: '1',
      description:
        'Consents, grants, reviews, access, API keys and decisions. Every call needs a credential, as requests through the proxy do, and is permitted by the policy (sluice/admin). Every call is a decision record.',
    },
    security: [{ token: [] }, { apiKey: [] }, { certificate: [] }],
    paths: pathsOf(ADMIN_OPERATIONS),
    components: {
      schemas: { Problem: problem },
      headers: {
        'Sluice-Decision-Id': {
          description: 'id of the decision record of this call',
          schema: { type: 'string' },
        },
      },
      parameters: {
        'Idempotency-Key': {
          name: 'Idempotency-Key',
          in: 'header',
          required: false,
          description:
            'A new UUID for each request. A repetition with the same key is not carried out again, and gets the same answer, except that secrets are shown once.',
          schema: { type: 'string', minLength: 1, maxLength: 255 },
        },
      },
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
        apiKey: { type: 'apiKey', in: 'header', name: 'X-Api-Key' },
        certificate: { type: 'mutualTLS' },
      },
    },
  };
  return made;
}

function pathsOf(operations: readonly Operation[]): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const operation of operations) {
    paths[operation.path] ??= {};
    paths[operation.path]![operation.method.toLowerCase()] = operationOf(operation);
  }
  return paths;
}

function operationOf(operation: Operation): object {
  const { name, operationId = name, summary, body, answer, status = 200, parameters = {} } = operation;
  const isChange = (CHANGES as readonly string[]).includes(name);
  return {
    operationId,
    summary,
    tags: [operationId.split('.')[0]],
    parameters: [
      ...Object.entries(parameters).map(([parameter, description]) => ({
        name: parameter,
        in: 'path',
        required: true,
        description,
        schema: { type: 'string' },
      })),
      ...queryParameters(operation.query),
      ...(isChange ? [{ $ref: '#/components/parameters/Idempotency-Key' }] : []),
    ],
    ...(body === null ? {} : { requestBody: { content: { 'application/json': { schema: body } } } }),
    responses: {
      ...Object.fromEntries(
        [status, operation.otherwise ?? status].map((each) => [
          each,
          {
            description: 'done',
            headers: { 'Sluice-Decision-Id': DECISION_ID },
            content: { 'application/json': { schema: answer } },
          },
        ]),
      ),
      ...problemsOf([
        ...ALWAYS,
        ...(body === null ? [] : OF_BODIES),
        ...(isChange ? OF_CHANGES : []),
        ...operation.codes,
      ]),
    },
  };
}

function queryParameters(query: TSchema): readonly object[] {
  const { properties, required = [] } = query as unknown as {
    properties: Record<string, { description?: string }>;
    required?: readonly string[];
  };
  return Object.entries(properties).map(([name, { description, ...schema }]) => ({
    name,
    in: 'query',
    required: required.includes(name),
    ...(description === undefined ? {} : { description }),
    schema,
  }));
}

function problemsOf(codes: readonly ErrorCode[]): Record<string, object> {
  const byStatus = Map.groupBy([...new Set(codes)].sort(), statusOf);
  return Object.fromEntries(
    [...byStatus].map(([status, list]) => [
      status,
      {
        description: list.map((code) => `\`${code}\``).join(', '),
        content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
      },
    ]),
  );
}
