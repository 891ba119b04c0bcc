// Creates DOM elements without building markup from strings.

const SVG_NAMESPACE = "http://www.w3.org/2000/svg";

/** Create an HTML element. Attributes that are null, undefined or false are left out. */
export function element(name, attributes = {}, ...children) {
  return build(document.createElement(name), attributes, children);
}

/** Create an SVG element, with the same arguments as `element`. */
export function svgElement(name, attributes = {}, ...children) {
  return build(document.createElementNS(SVG_NAMESPACE, name), attributes, children);
}

function build(node, attributes, children) {
  for (const [attribute, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) {
      node.setAttribute(attribute, value === true ? "" : value);
    }
  }
  node.append(...children);
  return node;
}

export const byId = (id) => document.getElementById(id);
