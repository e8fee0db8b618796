// Plots as SVG by hand: few shapes, system fonts, readable on light and dark pages.

const WIDTH = 640;
const STAGES = ['#9aa5b1', '#2f7ed8', '#e8833a', '#3d9a5b'];
const escape = (text) => String(text).replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
const text = (x, y, what, more = '') => `<text x="${x}" y="${y}" ${more}>${escape(what)}</text>`;

function page(title, height, shapes) {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="13" fill="#222">
<title>${escape(title)}</title><rect width="${WIDTH}" height="${height}" rx="6" fill="#fff"/>
${text(16, 24, title, 'font-size="15" font-weight="bold"')}
${shapes.join('\n')}
</svg>
`;
}

/** Steps for an axis up to `most`: 1, 2 or 5 times a power of ten, four to eight of them. */
function ticks(most) {
  const raw = most / 5, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw);
  return Array.from({ length: Math.floor(most / step + 1e-9) + 1 }, (_, i) => i * step);
}

/**
 * Bars of stages, one after the other.
 * @param {string} title @param {string[]} stages @param {{name: string, values: number[]}[]} rows @param {string} note
 */
export function bars(title, stages, rows, unit, note) {
  const left = 150, right = 60, top = 66, row = 40;
  const most = Math.max(...rows.map(({ values }) => values.reduce((a, b) => a + b, 0)));
  const scale = (WIDTH - left - right) / most;
  const bottom = top + rows.length * row;
  let at = left;
  const legend = stages.map((stage, i) => {
    const x = at;
    at += 26 + stage.length * 7.2;
    return `<rect x="${x}" y="38" width="12" height="12" fill="${STAGES[i]}"/>${text(x + 17, 49, stage)}`;
  });
  const grid = ticks(most).map((v) => {
    const x = left + v * scale;
    return `<path d="M${x} ${top - 4}V${bottom}" stroke="#ddd"/>${text(x, bottom + 16, `${v}`, 'text-anchor="middle" fill="#666"')}`;
  });
  const shapes = rows.map(({ name, values }, i) => {
    let x = left;
    const y = top + i * row;
    const parts = values.map((v, k) => {
      const bar = `<rect x="${x.toFixed(1)}" y="${y}" width="${(v * scale).toFixed(1)}" height="24" fill="${STAGES[k]}"/>`;
      x += v * scale;
      return bar;
    });
    const sum = Math.round(values.reduce((a, b) => a + b, 0));
    return text(left - 8, y + 17, name, 'text-anchor="end"') + parts.join('') + text(x + 6, y + 17, `${sum} ${unit}`);
  });
  return page(title, bottom + 46, [...legend, ...grid, ...shapes, text(16, bottom + 36, note, 'font-size="11" fill="#666"')]);
}

/** A line through points `[x, y]`, both axes from zero. */
export function line(title, points, [xName, yName], note) {
  const left = 60, right = 24, top = 52, bottom = 270;
  const [xMost, yMost] = [0, 1].map((k) => Math.max(...points.map((p) => p[k])) * 1.05);
  const x = (v) => (left + (v * (WIDTH - left - right)) / xMost).toFixed(1);
  const y = (v) => (bottom - (v * (bottom - top)) / yMost).toFixed(1);
  const label = (v) => String(Number(v.toPrecision(3)));
  const grid = [
    ...ticks(yMost).map((v) => `<path d="M${left} ${y(v)}H${WIDTH - right}" stroke="#ddd"/>${text(left - 8, Number(y(v)) + 4, label(v), 'text-anchor="end" fill="#666"')}`),
    ...ticks(xMost).map((v) => text(x(v), bottom + 18, label(v), 'text-anchor="middle" fill="#666"')),
  ];
  const path = points.map(([a, b], i) => `${i === 0 ? 'M' : 'L'}${x(a)} ${y(b)}`).join('');
  const dots = points.map(([a, b]) => `<circle cx="${x(a)}" cy="${y(b)}" r="4" fill="${STAGES[1]}"/>`);
  return page(title, 330, [
    ...grid, `<path d="${path}" fill="none" stroke="${STAGES[1]}" stroke-width="2"/>`, ...dots,
    text(left, 46, yName, 'fill="#666"'), text((left + WIDTH - right) / 2, bottom + 36, xName, 'text-anchor="middle" fill="#666"'),
    text(16, 320, note, 'font-size="11" fill="#666"'),
  ]);
}
