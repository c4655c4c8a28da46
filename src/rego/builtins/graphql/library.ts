/**
 * graphql-js, loaded at the first call of `graphql.*`: few policies call it, and its 130 modules are 7 % of the processor time that the
 * start of a sidecar takes.
 */
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

export const library = (): typeof import('graphql') => require('graphql') as typeof import('graphql');
