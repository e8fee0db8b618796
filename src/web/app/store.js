// What this browser keeps: preferences, and the key by which the box knows it again. Where storage is denied it is kept
// until the page goes.

const memory = new Map();
const PREFIX = 'stb.';

function storage() {
  try {
    return window.localStorage;
  } catch {
    return null; // denied by the browser's settings
  }
}

export const store = {
  /** What is kept under `name`, or `otherwise`. */
  get(name, otherwise = null) {
    try {
      const text = memory.get(name) ?? storage()?.getItem(PREFIX + name) ?? null;
      return text === null ? otherwise : JSON.parse(text);
    } catch {
      return otherwise;
    }
  },

  /** Keeps `value`, which is anything that JSON has; `null` forgets it. */
  set(name, value) {
    const text = JSON.stringify(value);
    try {
      if (value === null) storage().removeItem(PREFIX + name);
      else storage().setItem(PREFIX + name, text);
      memory.delete(name);
    } catch {
      if (value === null) memory.delete(name);
      else memory.set(name, text); // full or denied
    }
  },
};
