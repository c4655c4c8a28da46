/** `sluice.yaml` as `sluice check` sees it: its own faults and warnings, and its routes against the catalogs. */
import { type Fault, configFaults, type LoadedConfig, loadConfig, spell } from '../../config/index.ts';
import { isSluiceError } from '../../errors.ts';
import type { Catalog } from '../../model/catalog.ts';
import { routeWarnings } from '../../routing/warnings.ts';
import { type Finding, findings } from './findings.ts';

export interface InspectedConfig {
  /** null where it has faults */
  readonly loaded: LoadedConfig | null;
  readonly findings: readonly Finding[];
}

/** @throws SluiceError `config_unreadable` */
export async function inspectConfig(
  file: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<InspectedConfig> {
  try {
    const loaded = await loadConfig(file, env);
    return { loaded, findings: told(file, loaded.warnings, 'warning') };
  } catch (e) {
    const faults = isSluiceError(e) ? configFaults(e) : null;
    if (faults === null) throw e;
    return { loaded: null, findings: told(file, faults, 'fault') };
  }
}

/**
 * What only the catalogs show of its routes.
 * @param broken resources whose catalog has faults, which are told already
 */
export const routeFindings = (
  loaded: LoadedConfig,
  catalogs: ReadonlyMap<string, Catalog>,
  broken: ReadonlySet<string>,
): readonly Finding[] =>
  routeWarnings(loaded.config.routes, catalogs)
    .filter(({ route }) => !broken.has(loaded.config.routes[route]?.resource ?? ''))
    .flatMap(({ route, key, message, severity }) =>
      told(loaded.file, [loaded.fault(['routes', route, ...key], message)], severity),
    );

const told = (file: string, faults: readonly Fault[], severity: Finding['severity']): Finding[] =>
  findings(
    faults.map(({ line, column, path, message }) => ({
      file,
      line,
      column,
      message: path.length === 0 ? message : `${spell(path)}: ${message}`,
    })),
    'config',
    severity,
  );
