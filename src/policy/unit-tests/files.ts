/** The unit tests in a bundle: a list, and their compiled module. */
import type { Files } from '../bundle/archive.ts';
import { isObject } from '../../documents/yaml.ts';
import type { UnitTest, UnitTests } from './list.ts';

const TESTS = '.sluice/tests.json';
const TESTS_WASM = '.sluice/tests.wasm';

export const filesOfUnitTests = (tests: UnitTests | undefined): [string, Uint8Array][] => {
  if (tests === undefined || tests.tests.length === 0) return [];
  const list: [string, Uint8Array] = [TESTS, Buffer.from(JSON.stringify(tests.tests))];
  return tests.wasm === null ? [list] : [list, [TESTS_WASM, tests.wasm]];
};

/** null: the bundle has none */
export const unitTestsOf = (
  files: Files,
  json: (path: string) => unknown,
  fail: (message: string) => never,
): UnitTests | null => {
  if (!files.has(TESTS)) return null;
  const listed = json(TESTS);
  const tests = Array.isArray(listed) ? listed.map(unitTestOf) : [];
  const wasm = files.get(TESTS_WASM);
  // A test that is missing would never fail.
  if (tests.length === 0 || (wasm === undefined && tests.some((t) => t.entrypoint !== null)))
    fail(`${TESTS} names no tests, or their module ${TESTS_WASM} is missing.`);
  return { tests, wasm: wasm === undefined ? null : new Uint8Array(wasm) };
};

const unitTestOf = (value: unknown): UnitTest => {
  const t = isObject(value) ? value : {};
  const text = (name: string): string => (typeof t[name] === 'string' ? t[name] : '?');
  const number = (name: string): number => (typeof t[name] === 'number' ? t[name] : 0);
  const reason = t['reason'];
  return {
    package: text('package'),
    name: text('name'),
    file: text('file'),
    line: number('line'),
    column: number('column'),
    entrypoint: t['entrypoint'] === null ? null : text('entrypoint'),
    ...(typeof reason === 'string' ? { reason } : {}),
    table: t['table'] === true,
    ...(areCases(t['cases']) ? { cases: t['cases'] } : {}),
  };
};

const areCases = (v: unknown): v is string[][] =>
  Array.isArray(v) &&
  v.every((path) => Array.isArray(path) && path.every((step) => typeof step === 'string'));
