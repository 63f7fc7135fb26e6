// What the search decided, and why: of one trial, or of all of them, the latest page of them.

import { latest } from "/static/api.js";
import { empty, fill, h, problem } from "/static/dom.js";
import { hyperparameters, time } from "/static/format.js";

const VERBS = {
  "etude.trial.requested.v1": (told) => `begins trial ${told.trial_id} with ${hyperparameters(told.hyperparameters)}`,
  "etude.trial.continued.v1": (told) => `continues trial ${told.trial_id} until ${amount(told.train_until)}`,
  "etude.trial.paused.v1": (told) => `pauses trial ${told.trial_id} at ${amount(told.length)}`,
  "etude.trial.closed.v1": (told) => `closes trial ${told.trial_id}: ${told.reason}`,
};
const CAUSES = {
  "etude.experiment.created.v1": () => "the experiment was made",
  "etude.validation.completed.v1": (told) => `trial ${told.trial_id} was validated at ${amount(told.length)}`,
  "etude.trial.exited.v1": (told) => `trial ${told.trial_id} was given up`,
};

function amount(length) {
  const [[unit, value]] = Object.entries(length ?? { "": "?" });
  return `${value} ${unit}`;
}

export class Decisions {
  constructor(experimentId, trialId = null) {
    this.path = `/experiments/${encodeURIComponent(experimentId)}/decisions`;
    this.trialId = trialId;
    this.cursor = null;
    this.ask = latest();
    this.list = h("ol", { className: "why" });
    this.more = h("button", { type: "button", hidden: true, onclick: () => this.load(this.cursor) }, "Show more");
    this.element = h("div", {}, this.list, this.more);
  }

  async draw() {
    if (this.list.childElementCount > 0 && this.cursor !== null) return; // there is more to see already
    await this.load(null);
  }

  async load(cursor) {
    try {
      const page = await this.ask(this.path, { trial_id: this.trialId, limit: 100, cursor });
      if (!page) return;
      if (cursor === null) fill(this.list);
      this.cursor = page.next_cursor;
      this.more.hidden = page.next_cursor === null;
      this.list.append(...page.items.map((decision) => this.item(decision)));
      if (!this.list.childElementCount) fill(this.list, empty("Nothing has been decided yet."));
    } catch (error) {
      fill(this.list, problem(error));
    }
  }

  item(decision) {
    const told = decision.events.filter((event) => event.type in VERBS && (this.trialId === null || event.data.trial_id === this.trialId));
    const cause = CAUSES[decision.cause.type]?.(decision.cause.data) ?? decision.cause.type.split(".").slice(1, -1).join(" ");
    return h("li", {},
      h("span", { className: "quiet" }, `${decision.seq} · ${time(decision.at)} · because ${cause}: `),
      told.map((event) => VERBS[event.type](event.data)).join("; ") || "nothing follows",
      decision.reasons.map((reason) => h("div", {}, reason)));
  }
}
