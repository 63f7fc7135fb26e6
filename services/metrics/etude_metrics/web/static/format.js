// Numbers, times and values for people.

export function number(value) {
  if (value === null || value === undefined) return "–";
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(6)));
}

export function percent(value) {
  return `${Math.round(100 * value)} %`;
}

export function time(text) {
  return text ? new Date(text).toLocaleString() : "–";
}

export function duration(from, to) {
  if (!from) return "–";
  const seconds = Math.max(0, (to ? new Date(to) : new Date()) - new Date(from)) / 1000;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`;
}

export function length(amount, target) {
  const unit = target ? Object.keys(target)[0] : "";
  return amount === null ? "–" : `${amount} ${unit}`.trim();
}

// Nested hyperparameters by dotted name.
export function flat(values, prefix = "") {
  return Object.entries(values ?? {}).flatMap(([name, value]) =>
    value !== null && typeof value === "object" && !Array.isArray(value)
      ? flat(value, `${prefix}${name}.`)
      : [[`${prefix}${name}`, value]]);
}

export function hyperparameter(value) {
  return typeof value === "number" ? number(value) : typeof value === "string" ? value : JSON.stringify(value);
}

export function hyperparameters(values) {
  return flat(values).map(([name, value]) => `${name}=${hyperparameter(value)}`).join("  ");
}
