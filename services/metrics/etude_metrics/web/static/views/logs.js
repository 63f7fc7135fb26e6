// The last lines that the trials of an experiment wrote, and who wrote them.

import { get } from "/static/api.js";
import { empty, fill, h, problem } from "/static/dom.js";

const LINES = 500;
const AGAIN = 1000; // ms between two looks

export class Logs {
  constructor(experimentId) {
    this.path = `/experiments/${encodeURIComponent(experimentId)}`;
    this.lines = h("pre", { tabIndex: 0, ariaLabel: "Output of all trials" });
    this.note = h("p", { className: "quiet" }, `The last ${LINES} lines of all trials; those of one trial are on its page, and `, h("code", {}, `etude experiment logs ${experimentId}`), " has all.");
    this.place = h("div");
    this.element = h("div", {}, this.note, this.place);
    this.asked = 0;
  }

  async draw() {
    if (Date.now() - this.asked < AGAIN) return;
    this.asked = Date.now();
    try {
      const { items } = await get(`${this.path}/logs`, { latest: true, limit: LINES });
      const end = this.lines.scrollTop + this.lines.clientHeight >= this.lines.scrollHeight - 20;
      fill(this.place, items.length ? this.lines : empty("Nothing was written yet."));
      this.lines.textContent = items.map((line) => `${String(line.trial_id).padStart(5)} ${line.time.slice(11, 19)} ${line.rank ? `[rank ${line.rank}] ` : ""}${line.text}`).join("\n");
      if (end) this.lines.scrollTop = this.lines.scrollHeight;
    } catch (error) {
      fill(this.place, problem(error));
    }
  }
}
