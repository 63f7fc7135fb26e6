// Tabs: one of several parts is shown; arrows move between them, and the address remembers which.

import { fill, h } from "/static/dom.js";

export function tabs(parts) {
  const names = Object.keys(parts);
  const panel = h("div", { role: "tabpanel", id: "panel" });
  const buttons = names.map((name) => h("button", { role: "tab", type: "button", id: `tab-${name}`, onclick: () => choose(name), onkeydown: move }, name));
  const list = h("div", { role: "tablist" }, buttons);
  buttons.forEach((button) => button.setAttribute("aria-controls", "panel"));

  function choose(name, focus = false) {
    history.replaceState(null, "", `#${name.toLowerCase()}`);
    for (const button of buttons) {
      const chosen = button.textContent === name;
      button.setAttribute("aria-selected", chosen);
      button.tabIndex = chosen ? 0 : -1;
      if (chosen && focus) button.focus();
    }
    panel.setAttribute("aria-labelledby", `tab-${name}`);
    fill(panel, parts[name]());
  }

  function move(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    choose(names[(names.indexOf(event.target.textContent) + step + names.length) % names.length], true);
  }

  function addressed() {
    return names.find((name) => `#${name.toLowerCase()}` === location.hash) ?? names[0];
  }

  addEventListener("hashchange", function changed() {
    if (panel.isConnected) choose(addressed());
    else removeEventListener("hashchange", changed);
  });
  choose(addressed());
  return [list, panel];
}
