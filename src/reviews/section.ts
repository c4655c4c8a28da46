/** Section `reviews`: decisions that somebody must look at afterwards. */
import { defaulted, duration, section } from '../documents/kinds.ts';

export const reviewsSchema = section(
  {
    due: defaulted(
      duration({ min: '1h', max: '365d', description: 'time in which a review must be closed' }),
      '7d',
    ),
  },
  { description: 'reviews that decisions ask for (the obligation `review`)' },
);
