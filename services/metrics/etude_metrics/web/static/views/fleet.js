// Pools and runners: what they hold, what waits for them, and what may be done to them.

import { get, post } from "/static/api.js";
import { empty, fill, h, problem, state } from "/static/dom.js";
import { number, time } from "/static/format.js";

const AGAIN = 3000;

export async function fleet(main) {
  document.title = "Fleet – etude";
  const said = h("div", { role: "status", ariaLive: "polite" });
  const place = h("div");
  fill(main, h("h1", {}, "Fleet"), said, place);

  async function draw() {
    const { items } = await get("/pools");
    if (document.activeElement?.tagName === "BUTTON" && place.contains(document.activeElement)) return; // somebody is about to act
    fill(place, items.length ? items.map(pool) : empty("No scheduler has told of its runners yet. Start one, and a runner: ", h("code", {}, "python -m etude_trial_runner"), "."));
  }

  function pool(found) {
    return h("section", {}, h("h2", {}, `Pool ${found.pool}`), h("p", { className: "quiet" }, `${found.policy}, as of ${time(found.time)}`),
      table(["runner", "state", "slots", "held", "kind", "labels", "runs", "change"], found.runners.map(runner), "No runner."),
      h("h2", {}, "Who holds and wants what"),
      table(["experiment", "weight", "holds", "waiting", "why no more"], found.claims.map((claim) => [
        h("a", { href: `/experiments/${encodeURIComponent(claim.experiment_id)}` }, claim.experiment_id), number(claim.weight), number(claim.held), claim.waiting, claim.reason]), "Nobody wants anything."));
  }

  function runner(r) {
    const act = (verb, label) => h("button", { type: "button", "data-takes": "admin", onclick: () => command(r.runner_id, verb) }, label);
    return [r.runner_id, h("span", {}, state(r.state), r.reason ? ` ${r.reason}` : ""), r.slots, number(r.held), r.kind, r.labels.join(", ") || "–", r.trials.join(", ") || "–",
      h("span", {}, r.state === "disabled" ? act("enable", "Enable") : [act("drain", "Drain"), " ", act("disable", "Disable")])];
  }

  async function command(runnerId, verb) {
    try {
      await post(`/runners/${encodeURIComponent(runnerId)}/${verb}`, { reason: "by the web page" });
      fill(said, h("p", { className: "quiet" }, `Asked to ${verb} ${runnerId}.`));
    } catch (error) {
      fill(said, problem(error));
    }
    document.activeElement?.blur();
  }

  await draw();
  const timer = setInterval(() => draw().then(() => said.querySelector(".problem") && fill(said), (error) => fill(said, problem(error))), AGAIN);
  return () => clearInterval(timer);
}

function table(titles, rows, none) {
  if (!rows.length) return empty(none);
  return h("div", { className: "scroll" }, h("table", {}, h("thead", {}, h("tr", {}, titles.map((title) => h("th", { scope: "col" }, title)))),
    h("tbody", {}, rows.map((row) => h("tr", {}, row.map((cell) => h("td", {}, cell instanceof Node ? cell : String(cell))))))));
}
