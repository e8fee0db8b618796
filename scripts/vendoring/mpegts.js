// What the player needs of mpegts.js, of its sources: bundle.mjs leaves out what it does not. The worker is within it as
// a text.

export { createPlayer } from './node_modules/@rtp2httpd/mpegts.js/src/index.ts';
