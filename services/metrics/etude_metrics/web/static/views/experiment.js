// One experiment: figures, trials, decisions, configuration; with what may be done to it.

import { follow, get, post } from "/static/api.js";
import { empty, facts, fill, h, problem, renew, state } from "/static/dom.js";
import { Figure } from "/static/figure.js";
import { duration, hyperparameters, number, percent, time } from "/static/format.js";
import { tabs } from "/static/tabs.js";
import { Decisions } from "/static/views/decisions.js";
import { Logs } from "/static/views/logs.js";
import { Scatter } from "/static/views/scatter.js";
import { TrialTable } from "/static/views/trial_table.js";

const OVERVIEW = [["best", "Best so far"], ["curves", "Learning curves"], ["ladder", "Rungs: who reached which"], ["timeline", "Who ran where, and when"]];
const HYPERPARAMETERS = [["parallel", "Parallel coordinates", true], ["importance", "What matters"], ["contour", "The two that matter most"], ["slices", "One by one", true]];
const SURE = {
  cancel: "Cancel this experiment?",
  kill: "Kill this experiment?",
  delete: "Delete this experiment, all that is known of it and its checkpoints? There is no way back.",
};
const OTHERS = {
  delete: (path) => post(path, null, "DELETE"),
  retry: (path) => post(`${path}/retries`, {}),
};

export async function experiment(main, id) {
  const path = `/experiments/${encodeURIComponent(id)}`;
  let now = await get(path);
  document.title = `${now.name || id} – etude`;
  const summary = h("div");
  const buttons = h("div", { className: "bar", role: "group", ariaLabel: "Commands" });
  const said = h("div", { role: "status", ariaLive: "polite" });
  const figures = (kinds) => kinds.map(([name, title, whole]) => new Figure(encodeURIComponent(id), name, title, whole));
  const overview = figures(OVERVIEW);
  const parameters = [...figures(HYPERPARAMETERS), new Scatter(encodeURIComponent(id))];
  const trials = new TrialTable(now);
  const decisions = new Decisions(id);
  let open = [];

  fill(main, h("h1", {}, now.name || id), summary, buttons, said, tabs({
    Overview: () => grid(overview),
    Hyperparameters: () => grid(parameters),
    Trials: () => {
      open = [trials];
      trials.draw();
      return trials.element;
    },
    Decisions: () => {
      const trace = new Figure(encodeURIComponent(id), "trace", "Decisions", true);
      open = [trace, decisions];
      setTimeout(() => open.forEach((part) => part.draw()));
      return [h("div", { className: "figures" }, trace.element), decisions.element];
    },
    Logs: () => {
      const logs = new Logs(id);
      open = [logs];
      setTimeout(() => logs.draw());
      return logs.element;
    },
    Configuration: () => {
      open = [];
      return h("pre", { tabIndex: 0 }, JSON.stringify(now.config, null, 2));
    },
  }));

  function grid(parts) {
    open = parts;
    setTimeout(() => parts.forEach((figure) => figure.draw()));
    return h("div", { className: "figures" }, parts.map((figure) => figure.element));
  }

  function tell() {
    const best = now.best;
    const states = Object.entries(now.trial_states ?? {}).map(([name, count]) => `${count} ${name}`).join(", ");
    renew(summary,
      facts({
        state: state(now.state),
        progress: percent(now.progress),
        trials: states || String(now.trials),
        id,
        owner: now.owner,
        labels: now.labels.join(", "),
        created: time(now.created_at),
        took: now.ended_at ? duration(now.created_at, now.ended_at) : null,
      }),
      best ? facts({
        [`best ${best.metric}`]: h("strong", {}, number(best.value)),
        trial: h("a", { href: `/experiments/${encodeURIComponent(id)}/trials/${best.trial_id}` }, `${best.trial_id}`),
        at: best.length,
        with: hyperparameters(best.hyperparameters),
        checkpoint: best.checkpoint ? h("a", { href: `/api/v1${path}/best-checkpoint`, download: "" }, "download") : null,
      }) : [],
      now.reason ? problem({ title: "It did not end well.", message: now.reason }) : [],
      now.refused ? problem({ title: "The last change was refused.", message: now.refused }) : []);
    const live = ["active", "created"].includes(now.state);
    renew(buttons,
      live ? command("pause", "Pause") : [], now.state === "paused" ? command("activate", "Resume", true) : [],
      live || now.state === "paused" ? [command("cancel", "Cancel"), command("kill", "Kill")] : [],
      now.trial_states?.errored && now.state !== "canceled" ? command("retry", `Retry ${now.trial_states.errored} failed`) : [],
      !live && now.state !== "paused" ? command("delete", "Delete") : [],
      now.archived ? command("unarchive", "Unarchive") : command("archive", "Archive"));
  }

  function command(verb, label, first = false) {
    const act = async (event) => {
      if (verb in SURE && !confirm(SURE[verb])) return;
      event.target.disabled = true;
      try {
        await (verb in OTHERS ? OTHERS[verb](path) : post(`${path}/${verb}`));
        fill(said, h("p", { className: "quiet" }, `Asked to ${verb}.`));
      } catch (error) {
        fill(said, problem(error));
      }
    };
    return h("button", { type: "button", className: first ? "main" : "", "data-takes": "editor", onclick: act }, label);
  }

  tell();
  return follow(`${path}/events`, now.version ?? 0, async (name, data) => {
    if (name === "deleted") {
      fill(main, h("h1", {}, now.name || id), empty("This experiment was deleted. ", h("a", { href: "/" }, "To the others"), "."));
      return;
    }
    if (name === "trials") {
      trials.take(data);
      return;
    }
    const before = now.state;
    now = { ...now, ...data, config: now.config };
    if (data.state !== before) {
      fill(said);
      const whole = await get(path).catch(() => now);
      if (whole.version >= now.version) now = whole; // an answer may be older than the event
    }
    tell();
    open.forEach((part) => part.draw());
  });
}
