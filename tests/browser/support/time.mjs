// Clocks inside the page, which knows best when it was pressed and when it shows something.

export const median = (all) => [...all].sort((a, b) => a - b)[all.length >> 1];

/**
 * From the next navigation on, the page has `times`: `listed`, ms until its list was painted; `tap`, when somebody last
 * pressed a channel or a zap; `picture`, when the first frame after that was presented. By the page's performance.now().
 */
export const timekeeper = (page) => page.evaluateOnNewDocument(() => {
  const times = { listed: 0, tap: null, picture: null };
  window.times = times;
  const look = new MutationObserver(() => {
    if (!document.querySelector('[data-channel]')) return;
    look.disconnect();
    requestAnimationFrame(() => setTimeout(() => { times.listed = Math.round(performance.now()); }));
  });
  look.observe(document, { childList: true, subtree: true });

  let fresh = false; // the element has let go of the channel before
  const tapped = (e) => {
    if (!e.target.closest?.('[data-channel], [data-act=up], [data-act=down]')) return;
    times.tap = performance.now();
    times.picture = null;
    fresh = false;
  };
  addEventListener('click', tapped, true);
  addEventListener('emptied', () => { fresh = true; }, true);
  addEventListener('loadstart', (e) => {
    fresh = true;
    e.target.requestVideoFrameCallback?.((now) => { if (fresh && times.picture === null) times.picture = now; });
  }, true);
});
