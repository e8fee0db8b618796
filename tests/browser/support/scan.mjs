// A camera: reads the QR code that a terminal shows.

import jsQR from 'jsqr';

const SIDE = 6; // pixels of a module

/** What the code says that is drawn with half blocks in `text`, light on dark; null, if there is none to be read. */
export function scan(text) {
  const rows = text.split('\n').filter((line) => /^[█▀▄ ]{21,}$/.test(line));
  if (rows.length === 0) return null;
  const light = rows.flatMap((row) => ['█▀', '█▄'].map((set) => [...row].map((c) => set.includes(c))));
  const [width, height] = [light[0].length * SIDE, light.length * SIDE];
  const pixels = new Uint8ClampedArray(width * height * 4);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const shade = light[Math.floor(y / SIDE)][Math.floor(x / SIDE)] ? 255 : 0;
      pixels.set([shade, shade, shade, 255], (y * width + x) * 4);
    }
  }
  return jsQR(pixels, width, height)?.data ?? null;
}
