// Looks at the address, and shows what belongs there.

import { fill, h } from "/static/dom.js";
import { compare } from "/static/views/compare.js";
import { experiment } from "/static/views/experiment.js";
import { experiments } from "/static/views/experiments.js";
import { showSession, signIn } from "/static/session.js";
import { fleet } from "/static/views/fleet.js";
import { trial } from "/static/views/trial.js";

const VIEWS = [
  [/^\/$/, experiments],
  [/^\/fleet$/, fleet],
  [/^\/compare$/, compare],
  [/^\/experiments\/([^/]+)$/, experiment],
  [/^\/experiments\/([^/]+)\/trials\/(\d+)$/, trial],
];
const main = document.getElementById("main");
let leave = () => {};
let shown = "";

async function show() {
  const address = location.pathname + location.search;
  if (address === shown) return; // a tab within the page
  shown = address;
  leave();
  leave = () => {};
  for (const link of document.querySelectorAll("nav a")) {
    if (link.pathname === location.pathname) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const [, view, found] = VIEWS.map(([pattern, view]) => [pattern, view, pattern.exec(location.pathname)]).find(([, , match]) => match) ?? [];
  if (!view) {
    fill(main, h("h1", {}, "There is no such page."), h("p", {}, location.pathname));
    return;
  }
  fill(main, h("p", { className: "quiet" }, "Loading …"));
  try {
    const left = await view(main, ...found.slice(1).map(decodeURIComponent));
    if (address === shown) leave = left ?? leave;
    else left?.();
  } catch (error) {
    if (error.status === 401) {
      fill(main, signIn(again, error.message));
      return;
    }
    fill(main, h("h1", {}, error.title ?? "That did not work."), h("p", { className: "problem", role: "alert" }, error.message));
    if (error.status === 0) setTimeout(again, 5000);
  }
}

function again() {
  shown = "";
  showSession(again);
  show();
}

// Links within the page change what is shown, without loading everything again.
document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href^='/']");
  const other = !link || link.hasAttribute("download") || link.target || /^\/(api|docs|static)\b/.test(link.pathname);
  if (other || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  history.pushState(null, "", link.href);
  show().then(() => main.focus());
  scrollTo(0, 0);
});
addEventListener("popstate", show);
again();
