/**
 * Elements of the page. Text goes in as text nodes only, and attributes as attributes: nothing is ever parsed as HTML.
 *
 * Invariant: texts come from backends, operators and other instances. What a reader could not see, or what would turn
 * the text around it, is shown as an escape (`\u202e`).
 */
import { printableJson } from './printable.js';

const SVG = 'http://www.w3.org/2000/svg';

/** @param children elements, or texts; undefined and false are left out */
export function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

export function button(label, onClick, attributes = {}) {
  const made = el('button', { type: 'button', ...attributes }, label);
  made.addEventListener('click', onClick);
  return made;
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) setAttribute(node, name, value);
  for (const child of children.flat()) {
    if (child === undefined || child === false) continue;
    node.append(typeof child === 'object' ? child : printableJson(String(child)));
  }
  return node;
}

/** Nothing is touched that is so already: the page is drawn once a second. */
export function setText(node, text) {
  const shown = printableJson(String(text));
  if (node.textContent !== shown) node.textContent = shown;
}

/** `false` and undefined take it away. */
export function setAttribute(node, name, value) {
  if (value === undefined || value === false) {
    if (node.hasAttribute(name)) node.removeAttribute(name);
    return;
  }
  const text = value === true ? '' : String(value);
  if (node.getAttribute(name) !== text) node.setAttribute(name, text);
}

/** Of a bar: as wide as this part of its room. */
export function setWidth(node, part) {
  const width = `${(part * 100).toFixed(1)}%`;
  if (node.style.width !== width) node.style.width = width;
}

/** Puts `wanted` into `parent`, in this order, and moves only what is elsewhere. */
export function arrange(parent, wanted) {
  const keep = new Set(wanted);
  for (const child of [...parent.children]) if (!keep.has(child)) child.remove();
  let at = parent.firstElementChild;
  for (const child of wanted) {
    if (child === at) at = at.nextElementSibling;
    else parent.insertBefore(child, at);
  }
}
