// Questions and commands to the API, and what changes, as it changes.

export class ApiError extends Error {
  constructor(title, detail, status) {
    super(detail);
    this.title = title;
    this.status = status;
  }
}

async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(`/api/v1${path}`, { credentials: "same-origin", ...options });
  } catch {
    throw new ApiError("No answer.", "The metrics service cannot be reached; this page tries again by itself.", 0);
  }
  if (!response.ok) {
    const told = await response.json().catch(() => ({}));
    throw new ApiError(told.title ?? response.statusText, told.detail ?? "No reason was given.", response.status);
  }
  return response;
}

export async function get(path, query = {}) {
  const chosen = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const text = new URLSearchParams(chosen).toString();
  return (await ask(text ? `${path}?${text}` : path)).json();
}

// Makes a get of which only the latest question counts: the answer to an earlier one is undefined, and its failure is nothing.
export function latest() {
  let asked = 0;
  return async (path, query) => {
    const mine = (asked += 1);
    try {
      const answer = await get(path, query);
      return mine === asked ? answer : undefined;
    } catch (error) {
      if (mine === asked) throw error;
      return undefined;
    }
  };
}

// Whether there will be a newer answer in a moment comes second.
export async function getWithAge(path) {
  const response = await ask(path);
  return [await response.json(), response.headers.has("X-Etude-Old")];
}

// The header is what no page of another site can send along with the cookie.
export async function post(path, body, method = "POST", more = {}) {
  const headers = { "X-Etude": "page", ...(body ? { "Content-Type": "application/json" } : {}), ...more };
  await ask(path, { method, headers, body: body ? JSON.stringify(body) : undefined });
}

// Calls heard(name, data) for each event, from the version that is known on. Returns what stops it.
export function follow(path, since, heard) {
  const connection = document.getElementById("connection");
  const source = new EventSource(`/api/v1${path}?since=${since}`);
  const say = (text, lost) => {
    connection.textContent = text;
    connection.classList.toggle("lost", lost);
  };
  source.onopen = () => say("live", false);
  source.onerror = () => say("connection lost; trying again", true);
  const stop = () => {
    source.close();
    say("", false);
  };
  for (const name of ["experiment", "trials", "deleted"]) {
    source.addEventListener(name, (event) => {
      if (name === "deleted") stop(); // nothing comes after it
      heard(name, JSON.parse(event.data));
    });
  }
  return stop;
}
