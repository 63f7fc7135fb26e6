// A figure that the API draws, in the colours of the page, and drawn again when there is something new.

import { getWithAge } from "/static/api.js";
import { fill, h, problem } from "/static/dom.js";

const AGAIN = 1500; // ms between two drawings

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

export function themed({ data, layout }) {
  const axis = { gridcolor: colour("--grid"), linecolor: colour("--line"), zerolinecolor: colour("--line") };
  const made = { ...layout, template: null, paper_bgcolor: "transparent", plot_bgcolor: "transparent", autosize: true };
  made.font = { ...layout.font, color: colour("--text"), family: "system-ui, sans-serif" };
  made.title = undefined;
  made.margin = { ...layout.margin, t: layout.showlegend === false ? 10 : 36, r: 16 };
  made.width = undefined;
  if (data.some((trace) => trace.type === "parcoords")) return { ...made, margin: { ...made.margin, t: 50, b: 24, r: 56 } };
  for (const name of Object.keys(layout).filter((key) => /^[xy]axis\d*$/.test(key)).concat(["xaxis", "yaxis"])) {
    made[name] = { ...axis, automargin: true, ...layout[name], ...axis };
  }
  return made;
}

// The colours of a figure are chosen when it is drawn, so that it is drawn again when the page gets light or dark.
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const plot of document.querySelectorAll(".plot")) plot.dispatchEvent(new Event("colours"));
});

export class Figure {
  constructor(experimentId, name, title, whole = false) {
    this.path = `/experiments/${experimentId}/figures/${name}`;
    this.plot = h("div", { className: "plot", role: "img", ariaLabel: title, oncolours: () => this.draw() });
    this.element = h("section", { className: whole ? "figure whole" : "figure" }, h("h2", {}, title), this.plot);
    this.wanted = false;
    this.drawing = false;
  }

  // Draw it (again), but not too often.
  async draw() {
    this.wanted = true;
    if (this.drawing) return;
    this.drawing = true;
    while (this.wanted && this.element.isConnected) {
      this.wanted = false;
      try {
        const [figure, old] = await getWithAge(this.path);
        this.wanted ||= old;
        const options = { responsive: true, displaylogo: false, displayModeBar: false };
        if (this.element.isConnected) await window.Plotly.react(this.plot, figure.data, themed(figure), options);
        if (figure.layout.height) this.plot.style.height = `${figure.layout.height}px`;
      } catch (error) {
        fill(this.plot, problem(error));
      }
      await new Promise((resolve) => setTimeout(resolve, AGAIN));
    }
    this.drawing = false;
  }
}
