// A photograph with its faces and one crop box that can be moved and resized by mouse, touch and keyboard.
// mountCrop(element, onChange) -> { show(value), value }.

const HANDLES = ["nw", "n", "ne", "e", "se", "s", "sw", "w"];
const SMALLEST = 24; // pixels of the photograph
const STEP = 0.02; // of the photograph's longer side, for a key

const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

export function mountCrop(element, onChange) {
  return new Crop(element, onChange);
}

class Crop {
  constructor(element, onChange) {
    this.onChange = onChange;
    this.value = null;
    this.picture = make("div", "hv-photo");
    this.image = make("img");
    this.shade = make("div", "hv-shade");
    this.faces = make("div", "hv-faces");
    this.box = make("div", "hv-box", { tabindex: "0", role: "application" });
    this.chip = make("span", "hv-chip");
    this.box.append(this.chip, ...HANDLES.map((side) => make("i", `hv-handle hv-${side}`, { "data-side": side })));
    this.picture.append(this.image, this.shade, this.faces, this.box);
    this.words = make("p", "hv-words", { role: "status" });
    this.mine = make("input", "", { type: "checkbox" });
    const choice = make("label", "hv-choice");
    choice.append(this.mine, make("span", "", {}, "Use my crop"));
    this.keys = make("p", "hv-hint", {}, "Drag the box or its edges. With the keyboard: arrows move it, Shift and arrows resize it.");
    element.replaceChildren(this.picture, this.words, choice, this.keys);
    this.picture.addEventListener("pointerdown", (event) => this.#grab(event));
    this.box.addEventListener("keydown", (event) => this.#key(event));
    this.mine.addEventListener("change", () => this.#choose(this.mine.checked));
  }

  /** value: { url, width, height, faces: [{ box: [l, t, r, b], confidence }], selected, box, mine, notes } */
  show(value) {
    if (!value?.url) return;
    this.value = structuredClone(value);
    if (this.image.getAttribute("src") !== value.url) this.image.src = value.url;
    this.image.alt = `The photograph, ${value.width} by ${value.height} pixels`;
    this.faces.replaceChildren(...value.faces.map((face, index) => this.#face(face, index)));
    this.#draw();
  }

  #face({ box, confidence }, index) {
    const name = `Face ${index + 1}, confidence ${confidence.toFixed(2)}`;
    const button = make("button", "hv-face", { type: "button", "aria-label": name, title: name });
    this.#lay(button, box);
    button.append(make("span", "hv-chip", {}, `${index + 1} · ${confidence.toFixed(2)}`));
    button.addEventListener("click", () => this.#select(index));
    return button;
  }

  #select(index) {
    Object.assign(this.value, { selected: index, box: [...this.value.faces[index].box], mine: false });
    this.#tell();
    this.box.focus({ preventScroll: true });
  }

  #choose(mine) {
    const face = this.value.faces[this.value.selected];
    if (!mine && face === undefined) this.mine.checked = true; // without a face the crop is all there is
    else Object.assign(this.value, { mine, box: mine ? this.value.box : [...face.box] });
    this.#tell();
  }

  #lay(element, [left, top, right, bottom]) {
    const { width, height } = this.value;
    const part = (value, whole) => `${(100 * value) / whole}%`;
    Object.assign(element.style, { left: part(left, width), top: part(top, height) });
    Object.assign(element.style, { width: part(right - left, width), height: part(bottom - top, height) });
    element.classList.toggle("hv-below", top < height * 0.12); // no room for the words above
    element.classList.toggle("hv-leftward", left > width * 0.6);
    element.classList.toggle("hv-small", Math.min(right - left, bottom - top) < 0.3 * width); // no room for all handles
  }

  #draw() {
    const { box, faces, selected, mine } = this.value;
    const [left, top, right, bottom] = box.map(Math.round);
    this.#lay(this.box, box);
    this.#lay(this.shade, box);
    this.mine.checked = mine;
    this.box.classList.toggle("hv-mine", mine);
    [...this.faces.children].forEach((button, index) => button.classList.toggle("hv-selected", index === selected));
    const face = faces[selected];
    this.chip.textContent = mine || face === undefined ? "my crop" : `face ${selected + 1} · ${face.confidence.toFixed(2)}`;
    const size = `${right - left} × ${bottom - top} pixels`;
    this.box.setAttribute("aria-label", `Crop box, ${size}, at ${left}, ${top}. Arrows move it, Shift and arrows resize it.`);
    this.words.textContent = sentence(this.value, size);
  }

  #tell() {
    this.#draw();
    this.onChange(structuredClone(this.value));
  }

  #point(event) {
    const frame = this.picture.getBoundingClientRect();
    const across = ((event.clientX - frame.left) / frame.width) * this.value.width;
    const down = ((event.clientY - frame.top) / frame.height) * this.value.height;
    return [across, down];
  }

  #grab(event) {
    if (this.value === null || event.button !== 0) return;
    const side = event.target.dataset?.side;
    const onBox = this.box.contains(event.target);
    if (!onBox && (event.pointerType !== "mouse" || this.faces.contains(event.target))) return;
    event.preventDefault();
    const start = this.#point(event);
    const from = onBox ? [...this.value.box] : [...start, ...start];
    this.picture.setPointerCapture(event.pointerId);
    let moved = false;
    const move = (next) => {
      const [x, y] = this.#point(next);
      const by = [x - start[0], y - start[1]];
      if (!moved && Math.hypot(...by) < 3) return;
      moved = true;
      this.value.mine = true;
      this.value.box = onBox && side === undefined ? this.#moved(from, ...by) : this.#resized(from, side ?? "se", ...by);
      this.#draw();
    };
    const drag = new AbortController();
    const stop = () => {
      drag.abort();
      this.box.focus({ preventScroll: true });
      if (moved) this.#tell();
    };
    this.picture.addEventListener("pointermove", move, drag);
    for (const end of ["pointerup", "pointercancel"]) this.picture.addEventListener(end, stop, drag);
  }

  #moved([left, top, right, bottom], across, down) {
    const x = clamp(across, -left, this.value.width - right);
    const y = clamp(down, -top, this.value.height - bottom);
    return [left + x, top + y, right + x, bottom + y];
  }

  #resized(box, side, across, down) {
    let [left, top, right, bottom] = box;
    if (side.includes("w")) left += across;
    if (side.includes("e")) right += across;
    if (side.includes("n")) top += down;
    if (side.includes("s")) bottom += down;
    if (left > right) [left, right] = [right, left];
    if (top > bottom) [top, bottom] = [bottom, top];
    const { width, height } = this.value;
    left = clamp(left, 0, width - SMALLEST);
    top = clamp(top, 0, height - SMALLEST);
    return [left, top, clamp(right, left + SMALLEST, width), clamp(bottom, top + SMALLEST, height)];
  }

  #key(event) {
    const sides = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (!(event.key in sides) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const step = STEP * Math.max(this.value.width, this.value.height);
    const [across, down] = sides[event.key].map((way) => way * step);
    this.value.mine = true;
    this.value.box = event.shiftKey ? this.#resized(this.value.box, "se", across, down) : this.#moved(this.value.box, across, down);
    this.#tell();
  }
}

/** What the picture shows, with its numbers. */
function sentence(value, size) {
  const notes = (value.notes ?? []).map((note) => ` ${note[0].toUpperCase()}${note.slice(1)}.`);
  return about(value, size) + notes.join("");
}

function about({ faces, selected, mine }, size) {
  const found = faces.length === 1 ? "1 face found" : `${faces.length} faces found`;
  if (faces.length === 0) return `No face was found. Put the box around the face: ${size}.`;
  if (mine) return `${found}. The head is made from your crop: ${size}.`;
  const confidence = `confidence ${faces[selected].confidence.toFixed(2)}`;
  if (faces.length === 1) return `${found}, ${confidence}.`;
  return `${found}. Face ${selected + 1} is chosen, ${confidence}; click another to change.`;
}

function make(tag, name = "", attributes = {}, text = "") {
  const element = document.createElement(tag);
  if (name) element.className = name;
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.textContent = text;
  return element;
}
