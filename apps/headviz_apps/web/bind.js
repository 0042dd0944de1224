// Ties Gradio's HTML components to our modules. Each function gets what Gradio gives to js_on_load.

import { mountCrop } from "./crop.js";

/** The crop box: Python sends a photograph with its faces, the page sends back the box. */
export function bindCrop({ element, props, watch }) {
  const crop = mountCrop(mountPoint(element), (value) => {
    props.value = { ...props.value, selected: value.selected, box: value.box, mine: value.mine };
  });
  const show = () => crop.show(withUrl(props.value, "photo"));
  show();
  watch("value", show);
}

/** The 3-D head: Python sends the address of a GLB and what the caption needs. */
export async function bindHead({ element, props, watch, module }) {
  const { mountHead } = await import(module);
  const page = document.body;
  const theme = () => (page.classList.contains("dark") ? "dark" : "light");
  const head = mountHead(mountPoint(element), { theme: theme(), empty: "Choose a photograph, then make the head." });
  element.head = head;
  new MutationObserver(() => head.setTheme(theme())).observe(page, { attributeFilter: ["class"] });
  let shown = null;
  const show = () => {
    const { url, expression, note } = withUrl(props.value, "glb") ?? {};
    if (!url || url === shown) return;
    shown = url;
    head.load(url, { expression, note }).then(
      () => bringIntoView(element),
      () => (shown = null), // the viewer says what went wrong
    );
  };
  show();
  watch("value", show);
}

/** A page about the head: Python sends its address, and it opens in the tab that the click has opened, if there is one. */
export function bindSteps({ element, props, watch }) {
  const place = mountPoint(element);
  const show = () => {
    const { url, failed, label } = props.value ?? {};
    place.replaceChildren();
    const tab = window.headvizTab;
    if (failed) tab?.close();
    if (!url) return;
    const link = document.createElement("a");
    Object.assign(link, { href: new URL(url, document.baseURI).href, target: "_blank", className: "hv-link", textContent: `${label ?? "The page"}: open in a new tab` });
    place.append(link);
    if (tab && !tab.closed) tab.location.replace(link.href);
    window.headvizTab = null;
  };
  show();
  watch("value", show);
}

/** On a narrow page the head lies below the button that made it. */
function bringIntoView(element) {
  const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  if (element.getBoundingClientRect().top > window.innerHeight * 0.8) {
    element.scrollIntoView({ behavior: still ? "instant" : "smooth", block: "start" });
  }
}

const mountPoint = (element) => element.querySelector(".hv-mount") ?? element;

const withUrl = (value, key) => (value?.[key]?.url ? { ...value, url: value[key].url } : null);
