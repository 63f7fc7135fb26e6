// All trials in a table that holds no more rows than can be seen, however many there are.

import { latest } from "/static/api.js";
import { empty, fill, h, problem, renew, state } from "/static/dom.js";
import { flat, hyperparameter, length, number } from "/static/format.js";

const HEIGHT = 34; // px of a row
const PAGE = 500;
const BEYOND = 15; // rows above and below what can be seen

export class TrialTable {
  constructor(experiment) {
    this.address = `/experiments/${encodeURIComponent(experiment.experiment_id)}/trials`;
    this.metric = experiment.metric;
    this.sort = experiment.smaller_is_better ? "best" : "-best";
    this.items = [];
    this.cursor = null; // of the next page, if there is one
    this.loading = false;
    this.ask = latest();
    this.where = h("input", { type: "search", placeholder: "learning_rate < 0.1 and accuracy > 0.9", onchange: () => this.draw() });
    this.said = h("div", { role: "status", ariaLive: "polite" });
    this.head = h("thead");
    this.body = h("tbody");
    this.rows = h("div", { className: "rows", tabIndex: 0, role: "region", ariaLabel: "Trials", onscroll: () => this.show() },
      h("table", {}, this.head, this.body));
    this.element = h("div", {},
      h("div", { className: "bar" }, h("label", { className: "wide" }, "Only trials for which this holds", this.where)), this.said, this.rows);
  }

  // Ask anew, from the first one. What is here stays until the answer comes.
  async draw() {
    const page = await this.page(null);
    if (!page) return;
    this.items = [];
    this.add(page);
    this.rows.hidden = this.items.length === 0;
    this.columns = [...new Set(this.items.flatMap((trial) => flat(trial.hyperparameters).map(([name]) => name)))];
    this.titles();
    this.show();
  }

  // Trials that changed: those that are here are shown as they are now.
  take(changed) {
    const places = new Map(this.items.map((trial, place) => [trial.trial_id, place]));
    for (const trial of changed) {
      if (places.has(trial.trial_id)) this.items[places.get(trial.trial_id)] = trial;
      else if (this.cursor === null && !this.where.value) this.items.push(trial);
    }
    if (this.element.isConnected && this.columns) {
      this.rows.hidden = this.items.length === 0;
      this.show(true);
    }
  }

  async next() {
    if (this.loading) return;
    this.loading = true;
    const page = await this.page(this.cursor);
    this.loading = false;
    if (!page) return;
    this.add(page);
    this.show();
  }

  // The trials from a cursor on; undefined if that failed, or if something else was asked meanwhile.
  async page(cursor) {
    try {
      return await this.ask(this.address, { sort: this.sort, where: this.where.value, limit: PAGE, cursor });
    } catch (error) {
      fill(this.said, problem(error));
      return undefined;
    }
  }

  add(page) {
    this.items.push(...page.items);
    this.cursor = page.next_cursor;
    fill(this.said, this.items.length ? h("p", { className: "quiet" }, `${this.items.length}${this.cursor === null ? "" : " and more"} trials`) : empty("No trial fits."));
  }

  titles() {
    const title = (label, sort, className = "") => {
      const way = this.sort === sort ? "ascending" : this.sort === `-${sort}` ? "descending" : "none";
      const mark = { ascending: " ▲", descending: " ▼", none: "" }[way];
      const turn = () => {
        this.sort = this.sort === sort ? `-${sort}` : sort;
        this.draw();
      };
      return h("th", { scope: "col", className, ariaSort: way }, h("button", { type: "button", onclick: turn }, label + mark));
    };
    fill(this.head, h("tr", {}, title("trial", "trial_id", "number"), title("state", "state"), title(`best ${this.metric ?? ""}`, "best", "number"),
      title("trained", "trained", "number"), this.columns.map((name) => title(name, `hyperparameters.${name}`, "number")), title("restarts", "restarts", "number")));
  }

  show() {
    const first = Math.max(0, Math.floor(this.rows.scrollTop / HEIGHT) - BEYOND);
    const last = Math.min(this.items.length, Math.ceil((this.rows.scrollTop + this.rows.clientHeight) / HEIGHT) + BEYOND);
    const space = (rows) => h("tr", { ariaHidden: "true", style: `height:${rows * HEIGHT}px` });
    renew(this.body, first ? space(first) : [], this.items.slice(first, last).map((trial) => this.row(trial)), last < this.items.length ? space(this.items.length - last) : []);
    if (last > this.items.length - BEYOND && this.cursor !== null) this.next();
  }

  row(trial) {
    const values = Object.fromEntries(flat(trial.hyperparameters));
    return h("tr", { style: `height:${HEIGHT}px` },
      h("td", { className: "number" }, h("a", { href: `${this.address}/${trial.trial_id}` }, String(trial.trial_id))),
      h("td", {}, state(trial.state)),
      h("td", { className: "number" }, number(trial.best?.value)),
      h("td", { className: "number" }, length(trial.trained, trial.target)),
      this.columns.map((name) => h("td", { className: "number" }, name in values ? hyperparameter(values[name]) : "–")),
      h("td", { className: "number" }, String(trial.restarts)));
  }
}
