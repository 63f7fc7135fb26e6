// Any value of trials against any other, chosen by whoever looks.

import { get } from "/static/api.js";
import { fill, h, problem } from "/static/dom.js";
import { themed } from "/static/figure.js";
import { flat } from "/static/format.js";

const MOST_PAGES = 10;
const MANY = 1000; // points, from which on the graphics card draws

function valuesOf(trial) {
  const drawn = flat(trial.hyperparameters);
  const metrics = Object.entries(trial.metrics ?? {}).map(([name, value]) => [`metrics.${name}`, value]);
  return Object.fromEntries([["best", trial.best?.value], ["length", trial.length], ["trial", trial.trial_id], ...drawn, ...metrics]);
}

export class Scatter {
  constructor(experimentId) {
    this.path = `/experiments/${experimentId}/trials`;
    this.plot = h("div", { className: "plot", role: "img", ariaLabel: "Scatter plot", oncolours: () => this.rows && this.show() });
    this.x = this.select("Across");
    this.y = this.select("Up");
    this.colour = this.select("Colour");
    const bar = h("div", { className: "bar" }, [this.x, this.y, this.colour].map((choice) => choice.label));
    this.element = h("section", { className: "figure whole" }, h("h2", {}, "Any two"), bar, this.plot);
    this.drawing = false;
  }

  select(name) {
    const list = h("select", { onchange: () => this.show() });
    return { list, label: h("label", {}, name, list) };
  }

  async draw() {
    if (this.drawing) return;
    this.drawing = true;
    try {
      const trials = [];
      let cursor = null;
      for (let page = 0; page < MOST_PAGES && (page === 0 || cursor); page += 1) {
        const found = await get(this.path, { limit: 1000, cursor });
        trials.push(...found.items);
        cursor = found.next_cursor;
      }
      this.rows = trials.map(valuesOf);
      this.offer();
      await this.show();
    } catch (error) {
      fill(this.plot, problem(error));
    }
    this.drawing = false;
  }

  offer() {
    const names = [...new Set(this.rows.flatMap(Object.keys))];
    const varies = (name) => new Set(this.rows.map((row) => row[name])).size > 1;
    const drawn = names.find((name) => !["best", "length", "trial"].includes(name) && !name.startsWith("metrics.") && varies(name));
    for (const [choice, first] of [[this.x, drawn ?? "trial"], [this.y, "best"], [this.colour, "length"]]) {
      const chosen = choice.list.value || first;
      fill(choice.list, names.map((name) => h("option", { value: name, selected: name === chosen }, name)));
    }
  }

  async show() {
    const [x, y, colour] = [this.x, this.y, this.colour].map((choice) => choice.list.value);
    const there = this.rows.filter((row) => row[x] !== undefined && typeof row[y] === "number");
    const tint = there.map((row) => row[colour]);
    const numeric = tint.every((value) => typeof value === "number");
    const kinds = [...new Set(tint.map(String))];
    const marker = { size: 7, opacity: 0.8, color: numeric ? tint : tint.map((value) => kinds.indexOf(String(value))), colorscale: "Viridis", showscale: numeric, colorbar: { title: { text: colour } } };
    const text = there.map((row) => `trial ${row.trial}<br>${colour}: ${row[colour]}`);
    const type = there.length > MANY ? "scattergl" : "scatter";
    const axis = (name) => ({ title: { text: name }, type: spread(there.map((row) => row[name])) });
    const layout = { xaxis: axis(x), yaxis: axis(y), margin: { l: 70, r: 20, t: 10, b: 50 }, hovermode: "closest", showlegend: false };
    const data = [{ type, mode: "markers", x: there.map((row) => row[x]), y: there.map((row) => row[y]), text, marker }];
    if (this.element.isConnected) await window.Plotly.react(this.plot, data, themed({ data, layout }), { responsive: true, displaylogo: false, displayModeBar: false });
  }
}

// Logarithmic for positive numbers of many magnitudes, or what plotly finds fit.
function spread(values) {
  const numbers = values.every((value) => typeof value === "number" && value > 0);
  return numbers && values.length && Math.max(...values) / Math.min(...values) >= 100 ? "log" : undefined;
}
