// Time that goes on when it is told to.

/** Timers that run when they are told so, until the test ends: those of node:test run once in Debian's Node. */
export function mockTimers(context) {
  const { setTimeout, clearTimeout } = globalThis;
  context.after(() => Object.assign(globalThis, { setTimeout, clearTimeout }));
  const due = new Map();
  let [now, last] = [0, 0];
  globalThis.setTimeout = (fn, ms) => {
    due.set(++last, { fn, at: now + ms });
    return last;
  };
  globalThis.clearTimeout = (id) => due.delete(id);
  return (ms) => {
    now += ms;
    for (const [id, { fn, at }] of due) if (at <= now && due.delete(id)) fn();
  };
}
