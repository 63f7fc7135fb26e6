// The list of experiments, which follows what happens.

import { follow, latest } from "/static/api.js";
import { empty, fill, h, renew, state } from "/static/dom.js";
import { number, time } from "/static/format.js";

const PAGE = 100;
const STATES = ["", "active", "paused", "completed", "failed", "canceled", "rejected"];

export async function experiments(main) {
  document.title = "Experiments – etude";
  const wish = Object.fromEntries(new URLSearchParams(location.search));
  const body = h("tbody");
  const more = h("button", { type: "button", hidden: true, onclick: () => load(false) }, "Show more");
  const note = h("div");
  const rows = new Map();
  const ask = latest();
  let cursor = null;

  const text = h("input", { type: "search", value: wish.text ?? "", placeholder: "name or id", oninput: later(filter) });
  const chosen = h("select", { onchange: filter }, STATES.map((name) => h("option", { value: name, selected: name === wish.state }, name || "any state")));
  const label = h("input", { type: "search", value: wish.label ?? "", oninput: later(filter) });
  const archived = h("select", { onchange: filter }, h("option", { value: "" }, "current"), h("option", { value: "true", selected: wish.archived === "true" }, "archived"));
  const comparing = h("button", { type: "button", disabled: true, onclick: compareChosen }, "Compare chosen");
  const table = h("table", {}, h("caption", { className: "quiet", hidden: true }, "Experiments"),
    h("thead", {}, h("tr", {}, ["compare", "name", "state", "progress", "trials", "best", "owner", "created"].map((name) =>
      h("th", { scope: "col", className: name === "owner" || name === "created" ? "phone-off" : "" }, name === "compare" ? h("span", { className: "unseen" }, name) : name)))), body);

  fill(main, h("h1", {}, "Experiments"),
    h("div", { className: "bar" },
      h("label", { className: "wide" }, "Search", text), h("label", {}, "State", chosen),
      h("label", {}, "Label", label), h("label", {}, "Show", archived), comparing),
    h("div", { className: "scroll" }, table), note, more);

  function filters() {
    return { text: text.value, state: chosen.value, label: label.value, archived: archived.value };
  }

  function filter() {
    const query = new URLSearchParams(Object.entries(filters()).filter(([, value]) => value)).toString();
    history.replaceState(null, "", query ? `/?${query}` : "/");
    load(true);
  }

  async function load(anew) {
    const page = await ask("/experiments", { ...filters(), limit: PAGE, cursor: anew ? null : cursor });
    if (!page) return;
    if (anew) {
      rows.clear();
      fill(body);
    }
    cursor = page.next_cursor;
    more.hidden = cursor === null;
    for (const experiment of page.items) body.append(row(experiment));
    tell();
  }

  function tell() {
    const any = Object.values(filters()).some(Boolean);
    fill(note, rows.size ? [] : empty(any ? "No experiment fits." : ["No experiment yet. Make one with ", h("code", {}, "etude experiment create CONFIG.yaml MODEL_FOLDER"), "."]));
    table.hidden = rows.size === 0;
  }

  function row(experiment) {
    const id = experiment.experiment_id;
    const best = experiment.best;
    const known = rows.get(id);
    const choice = known?.firstChild ?? h("td", {}, h("input", { type: "checkbox", value: id, ariaLabel: `Compare ${experiment.name || id}`, onchange: count, style: "width:auto;min-height:0" }));
    const made = renew(known ?? h("tr"),
      choice,
      h("td", { className: "wide" }, h("a", { href: `/experiments/${encodeURIComponent(id)}` }, experiment.name || id), " ", h("span", { className: "quiet" }, experiment.name ? id : "", experiment.labels.map((name) => ` #${name}`))),
      h("td", {}, state(experiment.state)),
      h("td", {}, h("progress", { value: experiment.progress, max: 1, ariaLabel: "progress" })),
      h("td", { className: "number" }, experiment.trials),
      h("td", {}, best ? `${best.metric} ${number(best.value)}` : "–"),
      h("td", { className: "phone-off" }, experiment.owner || "–"),
      h("td", { className: "phone-off" }, time(experiment.created_at)));
    rows.set(id, made);
    return made;
  }

  function count() {
    comparing.disabled = body.querySelectorAll("input:checked").length < 2;
  }

  function compareChosen() {
    const ids = [...body.querySelectorAll("input:checked")].map((box) => box.value);
    const link = h("a", { href: `/compare?ids=${ids.map(encodeURIComponent).join(",")}` });
    document.body.append(link);
    link.click();
    link.remove();
  }

  await load(true);
  return follow("/events", Date.now() * 1000, (_, experiment) => {
    if (experiment.state === "deleted") {
      rows.get(experiment.experiment_id)?.remove();
      rows.delete(experiment.experiment_id);
      count();
      tell();
      return;
    }
    if (rows.has(experiment.experiment_id)) row(experiment);
    else if (!Object.values(filters()).some(Boolean) && !experiment.archived) body.prepend(row(experiment));
    tell();
  });
}

function later(act) {
  let waiting;
  return () => {
    clearTimeout(waiting);
    waiting = setTimeout(act, 250);
  };
}
