/** The ten questions of docs/audit-guide.md are typed, one after the other, on the log of the demo. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { opa, ROOT } from '../cli/support.ts';
import { put, Shell, settled, stepsOf } from './walk.ts';

const has = (command: string): boolean => spawnSync(command, ['version']).error === undefined;
const isComplete = opa !== null && ['bash', 'openssl', 'python3', 'tar'].every(has);
if (!isComplete)
  process.stderr.write('skipped: docs/audit-guide.md needs opa, bash, openssl, python3, tar\n');

/** What differs from run to run, from machine to machine, and with the width of columns. */
const told = (text: string, dir: string): string =>
  settled(
    text
      .replaceAll(`${dir}/`, '')
      .replaceAll(`${ROOT}/policies`, 'policies')
      .replaceAll(`${ROOT}policies`, 'policies'),
  )
    .replace(/^\{"level":.*\n/gm, '')
    .replace(/\d{4}-\d\d-\d\d \d\d:\d\d(?::\d\d)?(?: UTC)?/g, '<time>')
    .replace(/\b\d\d-\d\d \d\d:00\b/g, '<hour>')
    .replace(/\b[\w.-]+-[0-9a-f]{8}\b/g, '<chain>')
    .replace(/hmac…[0-9a-f]*/g, 'hmac…')
    .replace(/\b[0-9a-f]{10}\b/g, '<rest>')
    .replace(/\b(?=[0-9a-f]*\d)[0-9a-f]{40,64}\b/g, '<digest>')
    .replace(/\+[0-9a-f]{8}\+[\w+/=]+/g, '+<key>')
    .replace(/[─ ]+/g, ' ')
    .replace(/ +$/gm, '');

/** `…` on a line stands for any lines, also none. */
const pattern = (output: string): RegExp =>
  new RegExp(
    `^${output
      .split('\n')
      .map((line) =>
        line.trim() === '…' ? '(?:.*\\n)*?' : `${line.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}\\n`,
      )
      .join('')}$`,
  );

test.runIf(isComplete)(
  'docs/audit-guide.md: what it says is printed is printed',
  async () => {
    const dir = mkdtempSync(join(tmpdir(), 'sluice-audit-guide-'));
    put(dir, 'bin/sluice', `#!/bin/sh\nexec "${process.execPath}" "${ROOT}/src/main.ts" "$@"\n`);
    chmodSync(join(dir, 'bin/sluice'), 0o755);
    const shell = await Shell.open(dir, { ...process.env, PATH: `${dir}/bin:${process.env['PATH']}` });
    try {
      let typed = 0;
      for (const step of stepsOf(readFileSync(join(ROOT, 'docs/audit-guide.md'), 'utf8'))) {
        if (!('commands' in step)) continue;
        for (const { command, output } of step.commands) {
          const said = `${told(await shell.type(command, null), dir)}\n`;
          const wanted = told(output, dir);
          if (wanted === '' ? said.trim() !== '' : !pattern(wanted).test(said))
            expect([command, said]).toEqual([command, `${wanted}\n`]);
          typed += 1;
        }
      }
      expect(typed).toBeGreaterThan(20);
    } finally {
      await shell.close();
      rmSync(dir, { recursive: true, force: true });
    }
  },
  // many commands
  1_200_000,
);
