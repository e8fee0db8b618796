// Elements of the page. Text goes in as text and nothing else: no string is ever read as HTML.

/**
 * Makes an element.
 *
 * Props: `dataset: {…}`, `style: {…}`, `on…: fn`, the state of a control (`value`, `checked`, …), and attributes for all
 * else; `true` is an empty one. `null`, `undefined` and `false` leave a prop or a child out.
 * @param {string} tag
 * @param {object} [props]
 * @param {...(Node|string|number|Array|null|undefined|false)} children
 * @returns {HTMLElement}
 */
export function el(tag, props, ...children) {
  const element = document.createElement(tag);
  set(element, props ?? {});
  fill(element, children);
  return element;
}

/** What an attribute would only say at the start. */
const STATE = ['value', 'checked', 'selected', 'indeterminate', 'muted', 'srcObject'];

const SVG = 'http://www.w3.org/2000/svg';

/** Makes an element of an SVG picture; its props are attributes. */
export function svg(tag, props, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
  }
  fill(element, children);
  return element;
}

function set(element, props) {
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name === 'dataset') Object.assign(element.dataset, value);
    else if (name === 'style') styled(element, value);
    else if (STATE.includes(name)) element[name] = value;
    else element.setAttribute(name, value === true ? '' : value);
  }
}

function styled(element, rules) {
  for (const [name, value] of Object.entries(rules)) {
    if (name.startsWith('--')) element.style.setProperty(name, value);
    else element.style[name] = value;
  }
}

function fill(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
}

/** Puts `children` in the place of what `element` had. */
export function replace(element, ...children) {
  element.replaceChildren();
  fill(element, children);
  return element;
}

/** A button. */
export function button(label, onclick, props) {
  return el('button', { type: 'button', ...props, class: `button ${props?.class ?? ''}`.trim(), onclick }, label);
}

/** Has a screen reader say `text`. */
export function say(text) {
  document.getElementById('said').textContent = text;
}

/**
 * A dialog with `children`; goes when `close` is called, at Escape, or at a tap beside it.
 * @returns {{close: function(): void, closed: Promise<void>}}
 */
export function dialog(label, ...children) {
  const box = el('dialog', { class: 'dialog', 'aria-label': label }, ...children);
  const closed = new Promise((done) => {
    box.addEventListener('close', () => {
      box.remove();
      done();
    });
  });
  box.addEventListener('click', (event) => {
    if (event.target === box) box.close();
  });
  document.body.append(box);
  box.showModal();
  return { close: () => box.close(), closed };
}
