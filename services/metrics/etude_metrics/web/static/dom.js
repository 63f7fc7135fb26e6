// Elements from functions. Text is always text: nothing that the API tells can become markup.

export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && name !== "list") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

export function fill(element, ...children) {
  element.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

// As fill, but what is there already, and is the same, stays: it keeps the focus, and a click that has begun on it.
export function renew(element, ...children) {
  const wanted = children.flat(Infinity).filter((child) => child !== null && child !== undefined);
  wanted.forEach((child, place) => {
    const there = element.childNodes[place];
    if (there === undefined) element.append(child);
    else if (there !== child && !there.isEqualNode(child)) there.replaceWith(child);
  });
  while (element.childNodes.length > wanted.length) element.lastChild.remove();
  return element;
}

export function state(name) {
  return h("span", { className: `state ${name}` }, name);
}

export function facts(pairs) {
  return h("dl", { className: "facts" }, Object.entries(pairs)
    .filter(([, value]) => value !== null && value !== undefined && value !== "")
    .map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

export function empty(...children) {
  return h("div", { className: "empty" }, ...children);
}

export function problem(error) {
  return h("div", { className: "problem", role: "alert" }, h("strong", {}, error.title ?? "That did not work. "), " ", error.message);
}
