// Numbers as people read them; the same rules as headviz/viewers/look.py, and a test holds the two together.

/** Some significant digits, no trailing zeros, thousands apart, a true minus. */
export function number(value, digits = 3) {
  if (value === null || Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  if (value === 0) return "0";
  const sign = value < 0 ? "−" : "";
  const size = Math.abs(value);
  const [mantissa, power] = size.toExponential(digits - 1).split("e");
  const exponent = Number(power);
  if (exponent < -4 || exponent >= 12) return `${sign}${trimmed(mantissa)}e${exponent < 0 ? "−" : ""}${Math.abs(exponent)}`;
  if (exponent >= digits - 1) return sign + grouped(size.toFixed(0));
  return sign + trimmed(size.toFixed(digits - 1 - exponent));
}

const trimmed = (text) => (text.includes(".") ? text.replace(/0+$/, "").replace(/\.$/, "") : text);
/** A whole number with its thousands apart. */
export const grouped = (whole) => String(whole).replace(/\B(?=(\d{3})+$)/g, ",");

/** A length with its unit: metres from a centimetre up, else millimetres or micrometres. */
export function length(metres) {
  const size = Math.abs(metres);
  if (metres === null || !Number.isFinite(metres) || metres === 0 || size >= 0.01) return `${number(metres)} m`;
  return size >= 1e-5 ? `${number(metres * 1e3)} mm` : `${number(metres * 1e6)} µm`;
}

/** A number of things: "1 ray", "1,024 rays". */
export function count(value, noun, plural = `${noun}s`) {
  return `${grouped(String(value))} ${value === 1 ? noun : plural}`;
}
