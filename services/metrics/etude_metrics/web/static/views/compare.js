// Several experiments side by side.

import { get } from "/static/api.js";
import { empty, fill, h, state } from "/static/dom.js";
import { duration, hyperparameters, number } from "/static/format.js";

export async function compare(main) {
  document.title = "Compare – etude";
  const ids = (new URLSearchParams(location.search).get("ids") ?? "").split(",").filter(Boolean).slice(0, 20);
  if (ids.length < 2) {
    fill(main, h("h1", {}, "Compare"), empty("Choose two or more experiments in ", h("a", { href: "/" }, "the list"), "."));
    return undefined;
  }
  const found = await Promise.all(ids.map(async (id) => {
    const path = `/experiments/${encodeURIComponent(id)}`;
    const [experiment, best] = await Promise.all([get(path), get(`${path}/best-validations`, { limit: 1000 })]);
    return { experiment, best: best.items };
  }));
  const plot = h("div", { className: "plot", role: "img", ariaLabel: "Best so far of each" });
  const row = (title, cell) => h("tr", {}, h("th", { scope: "row" }, title), found.map(({ experiment }) => h("td", { className: "wide" }, cell(experiment))));
  fill(main, h("h1", {}, "Compare"),
    h("section", { className: "figure whole" }, h("h2", {}, "Best so far, over seconds since the first result"), plot),
    h("p"),
    h("div", { className: "scroll" }, h("table", {}, h("thead", {}, h("tr", {}, h("td"), found.map(({ experiment }) =>
      h("th", { scope: "col" }, h("a", { href: `/experiments/${encodeURIComponent(experiment.experiment_id)}` }, experiment.name || experiment.experiment_id))))),
    h("tbody", {},
      row("state", (e) => state(e.state)), row("searcher", (e) => e.config?.searcher?.name ?? "–"), row("trials", (e) => e.trials),
      row("best", (e) => e.best ? `${e.best.metric} ${number(e.best.value)}` : "–"), row("with", (e) => e.best ? hyperparameters(e.best.hyperparameters) : "–"),
      row("took", (e) => duration(e.created_at, e.ended_at)), row("max length", (e) => JSON.stringify(e.config?.searcher?.max_length ?? null))))));
  const style = getComputedStyle(document.documentElement);
  const axis = { gridcolor: style.getPropertyValue("--grid").trim() };
  const traces = found.filter(({ best }) => best.length).map(({ experiment, best }) => ({
    name: experiment.name || experiment.experiment_id, mode: "lines+markers", line: { shape: "hv" },
    x: best.map((v) => (new Date(v.time) - new Date(best[0].time)) / 1000), y: best.map((v) => v.metrics[experiment.metric]) }));
  window.Plotly.newPlot(plot, traces, { margin: { l: 60, r: 10, t: 10, b: 40 }, paper_bgcolor: "transparent", plot_bgcolor: "transparent", font: { color: style.getPropertyValue("--text").trim() }, xaxis: axis, yaxis: axis, legend: { orientation: "h" } }, { responsive: true, displaylogo: false, displayModeBar: false });
  return undefined;
}
