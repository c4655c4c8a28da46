/** The thread that runs a policy's unit tests before activation. */
import '../../../json-parse.ts';
import { parentPort, workerData } from 'node:worker_threads';
import { type ErrorCode, isSluiceError } from '../../../errors.ts';
import { type Ran, runUnitTests } from '../../../policy/unit-tests/run.ts';
import type { UnitTest, UnitTests } from '../../../policy/unit-tests/list.ts';

export interface UnitWork {
  readonly tests: UnitTests;
  readonly dataJson: string;
}

export type UnitRan =
  | { readonly ran: readonly (readonly [UnitTest, Ran])[] }
  | { readonly failure: { readonly code: ErrorCode; readonly message: string } };

const { tests, dataJson } = workerData as UnitWork;
const say = (message: UnitRan): void => parentPort?.postMessage(message);
const ran: (readonly [UnitTest, Ran])[] = [];
try {
  for await (const one of runUnitTests(tests, dataJson)) ran.push(one);
  say({ ran });
} catch (e) {
  if (!isSluiceError(e)) throw e;
  say({ failure: { code: e.code, message: e.message } });
}
