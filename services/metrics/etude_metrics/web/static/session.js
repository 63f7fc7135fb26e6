// Who is signed in. The token goes into a cookie that this page cannot read.

import { get, post } from "/static/api.js";
import { fill, h, problem } from "/static/dom.js";

export async function showSession(again) {
  const place = document.getElementById("session");
  const { user, role } = await get("/session").catch(() => ({ user: "", role: "" }));
  document.body.dataset.role = role; // what takes more is not shown
  const leave = async () => {
    await post("/session", undefined, "DELETE").catch(() => {});
    again();
  };
  fill(place, user ? [h("span", { className: "quiet" }, `${user} (${role})`), h("button", { type: "button", onclick: leave }, "Sign out")] : []);
}

export function signIn(again, why) {
  const token = h("input", { type: "password", name: "token", autocomplete: "current-password", required: true, spellcheck: false });
  const said = h("div", { role: "status", ariaLive: "polite" });
  const submit = async (event) => {
    event.preventDefault();
    try {
      await post("/session", undefined, "POST", { Authorization: `Bearer ${token.value.trim()}` });
      again();
    } catch (error) {
      fill(said, problem(error));
    }
  };
  document.title = "Sign in – etude";
  return h("form", { className: "sign-in", onsubmit: submit },
    h("h1", {}, "Sign in"),
    h("p", { className: "quiet", title: why }, "An admin makes tokens: ", h("code", {}, "etude token create NAME"), "."),
    h("label", {}, "Token", token),
    h("button", { type: "submit", className: "main" }, "Sign in"),
    said);
}
