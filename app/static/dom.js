// Making elements: no markup is ever put together from strings.

const SVG = "http://www.w3.org/2000/svg";

/** A new HTML element with attributes (null or false: left out) and children. */
export function element(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** The same, of SVG. */
export function drawn(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

function fill(made, attributes, children) {
  for (const [attribute, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) {
      made.setAttribute(attribute, value === true ? "" : value);
    }
  }
  made.append(...children);
  return made;
}

/** The element of that id. */
export const byId = (id) => document.getElementById(id);
