// Small pictures of the pages, drawn with the colour of the text.

import { svg } from './dom.js';

/** Paths in a square of 24; those that begin with '#' are filled. */
const PATHS = {
  star: 'M12 3.6l2.6 5.3 5.8.8-4.2 4.1 1 5.8-5.2-2.7-5.2 2.7 1-5.8-4.2-4.1 5.8-.8z',
  pad: '#M5 4h3v3H5zM10.5 4h3v3h-3zM16 4h3v3h-3zM5 9.5h3v3H5zM10.5 9.5h3v3h-3zM16 9.5h3v3h-3zM5 15h3v3H5zM10.5 15h3v3h-3zM16 15h3v3h-3z',
  play: '#M8 5.5v13l10.5-6.5z',
  lock: 'M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 017 0v3',
  key: 'M14.5 9.5a4 4 0 10-3.4 3.9L13 15.3h2v2h2v2h3v-2.8l-6-6z',
  tuner: 'M12 13v8M12 13a2 2 0 100-4 2 2 0 000 4M7.5 15.5a6.4 6.4 0 010-9M16.5 15.5a6.4 6.4 0 000-9M4.8 18a10 10 0 010-14M19.2 18a10 10 0 000-14',
  tv: 'M3.5 6h17v11h-17zM8 20.5h8',
  away: 'M9 5H5v14h14v-4M13 5h6v6M19 5l-9 9',
  none: 'M5.6 5.6l12.8 12.8M12 3a9 9 0 100 18 9 9 0 000-18',
  radio: 'M4 9h16v11H4zM7 9l9-5M8.5 17.2a2.7 2.7 0 100-5.4 2.7 2.7 0 000 5.4M15 12.5h2.5M15 16h2.5',
  left: 'M15 5l-7 7 7 7',
  right: 'M9 5l7 7-7 7',
};

/** The icon `name`, for the eye alone: words say the same. */
export function icon(name, props) {
  const path = PATHS[name];
  const isFilled = path.startsWith('#');
  const stroke = { fill: 'none', stroke: 'currentColor', 'stroke-width': 1.8, 'stroke-linejoin': 'round', 'stroke-linecap': 'round' };
  const look = isFilled ? { fill: 'currentColor' } : stroke;
  return svg(
    'svg',
    { viewBox: '0 0 24 24', class: 'icon', 'aria-hidden': 'true', focusable: 'false', ...props },
    svg('path', { d: path.replace('#', ''), ...look }),
  );
}
