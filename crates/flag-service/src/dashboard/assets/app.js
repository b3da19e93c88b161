// What the pages gain with a script: local times, keys, search as you type, copying. They work without it.
"use strict";

const searchDelay = 150;

/** Adds the local time to times in UTC, with its offset. */
function addLocalTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]:not([data-local])")) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    const offset = -at.getTimezoneOffset();
    time.dataset.local = "";
    if (offset === 0) continue;
    const two = (number) => String(number).padStart(2, "0");
    const sign = offset < 0 ? "-" : "+";
    const zone = `${sign}${two(Math.floor(Math.abs(offset) / 60))}:${two(Math.abs(offset) % 60)}`;
    const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
    const clock = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
    const local = document.createElement("span");
    local.className = "local";
    local.textContent = ` = ${day} ${clock} ${zone}`;
    time.append(local);
  }
}

/** Shows the buttons that need a script. */
function showCopyButtons(root) {
  for (const button of root.querySelectorAll("button[data-copy]")) button.hidden = false;
}

function say(text) {
  document.getElementById("live").textContent = text;
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    say("Copied.");
    button.textContent = "Copied";
  } catch {
    say("The browser did not allow copying.");
    button.textContent = "Not allowed";
  }
  setTimeout(() => { button.textContent = "Copy"; }, 2000);
});

/** The links of rows, in order. */
function rows() {
  return [...document.querySelectorAll("[data-row]")].map((row) => row.querySelector("a")).filter(Boolean);
}

function move(by) {
  const links = rows();
  if (links.length === 0) return;
  const at = links.indexOf(document.activeElement?.closest("[data-row]")?.querySelector("a"));
  const next = at < 0 ? (by > 0 ? 0 : links.length - 1) : Math.min(Math.max(at + by, 0), links.length - 1);
  links[next].focus();
  links[next].scrollIntoView({ block: "nearest" });
}

/** Leaves a field as it is: browsers empty a search field on Escape, and a form that it has left does not hear of that. */
function leave(field, event) {
  event.preventDefault();
  field.blur();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const field = event.target.closest("input, select, textarea");
  if (field) {
    if (event.key === "Escape") leave(field, event);
    return;
  }
  const dialog = document.getElementById("keys");
  if (dialog.open) return;
  // On the page of a flag that is the instance that is looked up.
  const search = document.querySelector("#instance, input[type=search]");
  if (event.key === "/" && search) search.focus(), search.select();
  else if (event.key === "j") move(1);
  else if (event.key === "k") move(-1);
  else if (event.key === "?") dialog.showModal();
  else return;
  event.preventDefault();
});

/** The address of the page with what a form asks for. */
function addressOf(form) {
  const query = new URLSearchParams([...new FormData(form)].filter(([, value]) => value !== ""));
  return `${location.pathname}?${query}`;
}

/** Puts what the address asks for into the fields of a form. */
function fill(form) {
  const query = new URLSearchParams(location.search);
  for (const field of form.elements) if (field.name) field.value = query.get(field.name) ?? "";
}

/** Whether an input is one of many keystrokes: not what is chosen from a list, or emptied by a button. */
function isTyped(event) {
  return Boolean(event.inputType) && event.inputType !== "insertReplacementText";
}

/**
 * Keeps what a form asks for in the address, so that Back undoes it as a person did it: each choice, and what was typed as a
 * whole once it is sent. While something is typed, the address follows without a step of its own.
 */
function addresses(form) {
  const here = () => location.pathname + location.search;
  let sent = here();
  return {
    typed: () => history.replaceState(null, "", addressOf(form)),
    chosen() {
      const address = addressOf(form);
      if (address !== here()) history.pushState(null, "", address);
      sent = address;
    },
    sent() {
      history.replaceState(null, "", sent);
      this.chosen();
    },
    wentBack() {
      fill(form);
      sent = here();
    },
  };
}

/** Shows the result of a search without loading the page, and writes it into the address. */
function searchAsYouType() {
  const form = document.querySelector("form.filter[role=search]");
  const results = document.getElementById("results");
  if (!form || !results) return;
  const address = addresses(form);
  let timer = 0;
  let running = null;
  const show = async () => {
    running?.abort();
    running = new AbortController();
    try {
      const answer = await fetch(location.href, { signal: running.signal, headers: { accept: "text/html" } });
      if (!answer.ok || answer.redirected) {
        location.reload();
        return;
      }
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      results.replaceChildren(...page.getElementById("results").childNodes);
      prepare(results);
      say(results.querySelector(".count")?.textContent ?? "");
    } catch (error) {
      if (error.name !== "AbortError") say("The search failed. Try again.");
    }
  };
  const search = (how, delay = 0) => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      address[how]();
      show();
    }, delay);
  };
  form.addEventListener("input", (event) => isTyped(event) ? search("typed", searchDelay) : search("chosen"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    search("sent");
  });
  window.addEventListener("popstate", () => search("wentBack"));
}

/** Loads a page again that says that it is not complete, while somebody looks. */
function loadAgain() {
  const notice = document.querySelector("[data-refresh]");
  if (!notice) return;
  setTimeout(() => {
    if (document.visibilityState === "visible" && !document.activeElement?.closest("input, select")) location.reload();
    else loadAgain();
  }, 1000 * Number(notice.dataset.refresh));
}

function prepare(root) {
  addLocalTimes(root);
  showCopyButtons(root);
}

prepare(document);
for (const keys of document.querySelectorAll(".keys")) keys.hidden = false;
searchAsYouType();
loadAgain();
say(document.querySelector("[data-say]")?.textContent ?? "");
