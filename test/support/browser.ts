/** A real browser, for pages that people see: Chromium of the system, headless, and with a profile of its own. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContext, type BrowserContextOptions, chromium } from 'playwright-core';

const PATH = process.env['CHROMIUM'] ?? '/usr/bin/chromium';

/** `.ci/run` installs it, and demands it with SLUICE_BROWSER=required. */
export const hasBrowser = existsSync(PATH);
if (!hasBrowser) {
  if (process.env['SLUICE_BROWSER'] === 'required') throw new Error(`there is no browser at ${PATH}`);
  console.warn(`skipped: no browser at ${PATH} (apt-get install chromium)`);
}

const ARGUMENTS = [
  ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
  ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
];

export interface Browser {
  /** a visitor with a window and cookies of their own */
  visitor(options?: BrowserContextOptions): Promise<BrowserContext>;
  close(): Promise<void>;
}

export async function openBrowser(): Promise<Browser> {
  const profile = mkdtempSync(join(tmpdir(), 'sluice-chromium-'));
  const first = await chromium.launchPersistentContext(profile, {
    executablePath: PATH,
    args: ARGUMENTS,
  });
  const browser = first.browser()!;
  return {
    visitor: (options = {}) => browser.newContext(options),
    async close() {
      await first.close();
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
