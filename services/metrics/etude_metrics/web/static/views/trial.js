// One trial: what it has, where it ran, why it was stopped or goes on, what it wrote.

import { follow, get } from "/static/api.js";
import { empty, facts, fill, h, problem, renew, state } from "/static/dom.js";
import { duration, flat, hyperparameter, length, number, time } from "/static/format.js";
import { tabs } from "/static/tabs.js";
import { Decisions } from "/static/views/decisions.js";

export async function trial(main, id, trialId) {
  const path = `/experiments/${encodeURIComponent(id)}/trials/${trialId}`;
  const experiment = await get(`/experiments/${encodeURIComponent(id)}`);
  let now = await get(path);
  document.title = `Trial ${trialId} of ${experiment.name || id} – etude`;
  const summary = h("div");
  const decisions = new Decisions(id, Number(trialId));
  const curve = h("div", { className: "plot", role: "img", ariaLabel: "Learning curves" });
  const training = h("div", { className: "plot", role: "img", ariaLabel: "Training metrics" });
  const log = h("pre", { tabIndex: 0, ariaLabel: "Output" });
  let shown = () => {};

  fill(main, h("p", {}, h("a", { href: `/experiments/${encodeURIComponent(id)}` }, `← ${experiment.name || id}`)), h("h1", {}, `Trial ${trialId}`), summary, tabs({
    Why: () => (shown = () => decisions.draw(), shown(), decisions.element),
    Curves: () => (shown = plots, setTimeout(plots), h("div", { className: "figures" },
      h("section", { className: "figure" }, h("h2", {}, "Validations"), curve), h("section", { className: "figure" }, h("h2", {}, "Training"), training))),
    Log: () => (shown = logs, logs(), log),
    Runs: () => (shown = () => {}, lazily(runs)),
    Checkpoints: () => (shown = () => {}, lazily(checkpoints)),
  }));

  function tell(placement) {
    renew(summary,
      facts({
        state: state(now.state),
        trained: `${length(now.trained, now.target)} of ${length(Object.values(now.target ?? {})[0] ?? null, now.target)}`,
        [`best ${experiment.metric}`]: now.best ? `${number(now.best.value)} at ${now.best.length}` : "–",
        restarts: String(now.restarts),
        runner: now.runner_id,
        bracket: now.rungs.length ? `${now.bracket + 1}, rungs ${now.rungs.join(", ")}` : null,
        requested: time(now.requested_at),
        ended: now.ended_at ? time(now.ended_at) : null,
      }),
      facts(Object.fromEntries(flat(now.hyperparameters).map(([name, value]) => [name, hyperparameter(value)]))),
      placement ? h("p", { className: "quiet" }, placement) : [],
      now.detail ? problem({ title: "It says:", message: now.detail }) : []);
  }

  async function refresh() {
    now = await get(path);
    const placement = await get(`${path}/placement`).catch(() => null);
    tell(placement?.reason);
  }

  async function plots() {
    const [validations, curves] = await Promise.all([get(`/experiments/${encodeURIComponent(id)}/validations`, { trial_id: trialId, limit: 1000 }), get(`${path}/training-curves`)]);
    const items = validations.items.sort((a, b) => a.length - b.length);
    const names = [...new Set(items.flatMap((item) => Object.keys(item.metrics)))];
    const style = getComputedStyle(document.documentElement);
    const layout = { margin: { l: 50, r: 10, t: 10, b: 40 }, paper_bgcolor: "transparent", plot_bgcolor: "transparent", font: { color: style.getPropertyValue("--text").trim() },
      xaxis: { gridcolor: style.getPropertyValue("--grid").trim() }, yaxis: { gridcolor: style.getPropertyValue("--grid").trim() }, legend: { orientation: "h" } };
    const options = { responsive: true, displaylogo: false, displayModeBar: false };
    if (!curve.isConnected) return;
    window.Plotly.react(curve, names.map((name) => ({ name, x: items.map((item) => item.length), y: items.map((item) => item.metrics[name] ?? null), mode: "lines+markers" })), layout, options);
    window.Plotly.react(training, curves.items.map((series) => ({ name: series.metric, x: series.lengths, y: series.values, mode: "lines" })), layout, options);
  }

  async function logs() {
    const lines = [];
    let cursor = null;
    do {
      const page = await get(`${path}/logs`, { limit: 1000, cursor });
      lines.push(...page.items.map((line) => `${line.time.slice(0, 19)} ${line.rank ? `[rank ${line.rank}] ` : ""}${line.text}`));
      cursor = page.next_cursor;
    } while (cursor !== null && lines.length < 20000);
    const end = log.scrollTop + log.clientHeight >= log.scrollHeight - 20;
    log.textContent = lines.join("\n") || "Nothing was written.";
    if (end) log.scrollTop = log.scrollHeight;
  }

  async function runs() {
    const { items } = await get(`${path}/allocations`);
    return rowsOf(["lease", "runner", "slots", "began", "took", "ended"], items.map((run) => [run.lease_number, run.runner_id, run.slots.join(", "), time(run.began), duration(run.began, run.ended), run.reason ?? "runs now, or was lost"]), "It has not run yet.");
  }

  async function checkpoints() {
    const { items } = await get(`${path}/checkpoints`, { limit: 1000 });
    return rowsOf(["at", "lease", "saved", "MiB", "where"], items.map((c) => [c.length, c.lease_number, time(c.time), (c.size / 2 ** 20).toFixed(2), c.deleted ? "deleted" : h("a", { href: `/api/v1${path}/checkpoints/${c.length}`, download: "" }, "download")]), "None has been saved yet.");
  }

  await refresh();
  return follow(`/experiments/${encodeURIComponent(id)}/events`, experiment.version ?? 0, async (name, data) => {
    if (name === "trials" && data.some((changed) => changed.trial_id === Number(trialId))) {
      await refresh();
      shown();
    }
  });
}

function lazily(load) {
  const place = h("div", {}, h("p", { className: "quiet" }, "Loading …"));
  load().then((made) => fill(place, made), (error) => fill(place, problem(error)));
  return place;
}

function rowsOf(titles, rows, none) {
  if (!rows.length) return empty(none);
  return h("div", { className: "scroll" }, h("table", {}, h("thead", {}, h("tr", {}, titles.map((title) => h("th", { scope: "col" }, title)))),
    h("tbody", {}, rows.map((row) => h("tr", {}, row.map((cell) => h("td", {}, cell instanceof Node ? cell : String(cell))))))));
}
