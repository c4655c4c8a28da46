#!/usr/bin/env node
/** argv in, exit code out. */
import { run } from './cli/run.ts';

process.exitCode = await run(process.argv.slice(2));
