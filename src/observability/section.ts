/** Section of the configuration for logs, and for the labels of decision records. */
import { defaulted, section, table, Type } from '../documents/kinds.ts';

export const observabilitySchema = section(
  {
    log_level: defaulted(Type.Enum(['debug', 'info', 'warn', 'error']), 'info'),
    labels: defaulted(
      table(Type.String({ maxLength: 256 }), {
        key: '^[a-z][a-z0-9_]*$',
        description: 'labels that are added to every decision record',
      }),
      {},
    ),
  },
  { description: 'logs and labels' },
);
