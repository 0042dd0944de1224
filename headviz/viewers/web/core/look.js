// The one visual language: colours as in headviz/viewers/look.py. Scales come with the data.

export const COLOR = {
  inside: "#0072B2", outside: "#E69F00", current: "#D55E00", hit: "#009E73", missed: "#999999", wrong: "#CC79A7",
  skin: "#d9a58b", eyes: "#f4f4f4",
};
export const PAPER = { light: "#f6f5f2", dark: "#15171a" };
export const INK = { light: "#1d1f22", dark: "#eceae6" };
export const SOFT = { light: "#595e66", dark: "#a9aeb6" };
export const SURFACE = { light: "#000000", dark: "#ffffff" };

/** The grey of the k-th newest of some earlier steps: newest darkest on light paper, lightest on dark. */
export function greyOf(age, theme) {
  const light = Math.min(0.82, 0.3 + 0.09 * age);
  const level = Math.round(255 * (theme === "dark" ? 1 - light * 0.9 : light));
  return `rgb(${level},${level},${level})`;
}

/** [red, green, blue], 0 to 255, of "#rrggbb". */
export function channels(color) {
  return [1, 3, 5].map((k) => Number.parseInt(color.slice(k, k + 2), 16));
}

/**
 * A scale of colours: value -> offset of its colour in `table.data`.
 *
 * @param {{data: Uint8Array, shape: number[]}} table - record.arrays["look.sequential"] or ["look.signed"]
 * @param {number} low - value of the first colour
 * @param {number} high - value of the last
 */
export function scaleOf(table, low, high) {
  const last = table.shape[0] - 1;
  const factor = high > low ? last / (high - low) : 0;
  const colors = table.data;
  const index = (value) => 3 * Math.max(0, Math.min(last, Math.round((value - low) * factor)));
  const css = (value) => {
    if (!Number.isFinite(value)) return COLOR.wrong;
    const k = index(value);
    return `rgb(${colors[k]},${colors[k + 1]},${colors[k + 2]})`;
  };
  const gradient = () => {
    const stops = Array.from({ length: 17 }, (_, k) => css(low + ((high - low) * k) / 16));
    return `linear-gradient(to right, ${stops.join(", ")})`;
  };
  return { low, high, index, css, colors, gradient };
}

/** Paints numbers as pixels: a canvas of `width` × `height`; what is not a number is magenta. */
export function painted(values, width, height, scale) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  const wrong = channels(COLOR.wrong);
  for (let i = 0; i < width * height; i += 1) {
    const value = values[i];
    const k = Number.isFinite(value) ? scale.index(value) : -1;
    for (let channel = 0; channel < 3; channel += 1) image.data[4 * i + channel] = k < 0 ? wrong[channel] : scale.colors[k + channel];
    image.data[4 * i + 3] = 255;
  }
  context.putImageData(image, 0, 0);
  return canvas;
}
