// Plain HTML elements, no framework.

/** An element with attributes and children; a function as attribute listens to that event; null leaves one out. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export const reducedMotion = () => window.matchMedia("(prefers-reduced-motion: reduce)").matches;

let last = 0;
/** An identifier that no other element has. */
export const unique = (name) => `hv-${name}-${(last += 1)}`;
