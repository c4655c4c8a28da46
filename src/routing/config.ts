/** What `loadConfig` checks of the routes besides their schema: templates, patterns, conditions, ambiguity. */
export { compileRoutes, type RouteFault } from './compile.ts';
