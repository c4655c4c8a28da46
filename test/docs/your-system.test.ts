/** docs/your-system.md, walked through from its first line to its last, with an upstream that answers what the page says. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { opa, ROOT } from '../cli/support.ts';
import { freePort } from '../support/port.ts';
import { portOf, put, Shell, settled, stepsOf, upstreamOf } from './walk.ts';

const steps = stepsOf(readFileSync(join(ROOT, 'docs/your-system.md'), 'utf8'));
const has = (command: string): boolean => spawnSync(command, ['--version']).error === undefined;

test.runIf(opa !== null && ['bash', 'curl', 'iconv', 'sed', 'sha256sum'].every(has))(
  'docs/your-system.md: what it says is printed is printed',
  async () => {
    const dir = mkdtempSync(join(tmpdir(), 'sluice-your-system-'));
    const upstream = await upstreamOf(steps);
    const [proxy, admin] = [await freePort(), await freePort()];
    const here = (text: string): string =>
      text
        .replaceAll('127.0.0.1:9000', `127.0.0.1:${portOf(upstream)}`)
        .replaceAll('127.0.0.1:8080', `127.0.0.1:${proxy}`)
        .replaceAll('127.0.0.1:8081', `127.0.0.1:${admin}`);
    put(dir, 'bin/sluice', `#!/bin/sh\nexec "${process.execPath}" "${ROOT}/src/main.ts" "$@"\n`);
    chmodSync(join(dir, 'bin/sluice'), 0o755);
    const shell = await Shell.open(dir, {
      ...process.env,
      SLUICE: ROOT,
      PATH: `${dir}/bin:${process.env['PATH']}`,
    });
    try {
      for (const step of steps) {
        if ('file' in step) put(dir, step.file, here(step.text));
        if (!('commands' in step)) continue;
        for (const { command, output } of step.commands) {
          const said = await shell.type(here(command), command.endsWith('&') ? /"ready":true.*\n/ : null);
          expect([command, settled(said)]).toEqual([command, settled(output)]);
        }
      }
    } finally {
      await shell.close();
      upstream.close();
      rmSync(dir, { recursive: true });
    }
  },
  // many commands
  1_200_000,
);
