// Keeps a page up to date while somebody looks at it: makes it again when its flags change, and puts in what differs.
"use strict";

/** Before this time has passed since a change, a list may still be the one that was read before it. */
const settle = 600;
/** Over how long pages spread, in milliseconds. */
const spread = 500;

/** Pause before a stream that was refused is asked for again. */
const retryAfter = 10000;

/** How long a row that has changed is marked. */
const markedFor = 5000;

/** Changes that are spoken of one by one. */
const mostNamed = 3;

/** Attributes that only the browser gives: an open list of details, the mark of a change. */
const kept = ["open", "data-changed"];

/** Makes one tree like another and leaves alone what is the same, so that focus, scrolling and what is typed stay. */
function adopt(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeName !== fresh.nodeName || old.nodeType !== Node.ELEMENT_NODE) {
    old.replaceWith(fresh);
    return;
  }
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !kept.includes(name)) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  const before = [...old.childNodes];
  const after = [...fresh.childNodes];
  after.forEach((child, at) => before[at] ? adopt(before[at], child) : old.append(child));
  for (const child of before.slice(after.length)) child.remove();
}

/** What is said about each flag of the page: its row, if there are several, its name and who gets what. */
function statements(main) {
  const found = new Map();
  for (const sentence of main.querySelectorAll(".sentence")) {
    if (sentence.closest(".timeline, .sides")) continue;
    const row = sentence.closest("[data-row]");
    const link = row?.querySelector("a");
    const name = (link ?? main.querySelector("h1"))?.textContent ?? "";
    found.set(link?.getAttribute("href") ?? "", { row: row ?? sentence, name, text: sentence.textContent });
  }
  return found;
}

function count(main) {
  return main.querySelector(".count")?.textContent ?? "";
}

/** Marks what has changed and speaks of it; whether there is anything. */
function tell(before, after) {
  const changed = [...after].filter(([key, { text }]) => before.get(key)?.text !== text).map(([, told]) => told);
  if (changed.length === 0) return false;
  for (const row of document.querySelectorAll("[data-changed]")) delete row.dataset.changed;
  for (const { row } of changed) {
    row.dataset.changed = "";
    setTimeout(() => { delete row.dataset.changed; }, markedFor);
  }
  const named = changed.slice(0, mostNamed).map(({ name, text }) => `${name}: ${text}.`);
  const more = changed.length - named.length;
  say(`Changed: ${named.join(" ")}${more > 0 ? ` And ${more} more.` : ""}`);
  return true;
}

/** Makes the page again. Nothing happens if that fails, or if the address has changed meanwhile, as by a search. */
async function renew() {
  const address = location.href;
  const answer = await fetch(address, { headers: { accept: "text/html" } });
  if (answer.redirected) {
    // Signed out.
    location.reload();
    return;
  }
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
  if (location.href !== address) return;
  prepare(fresh);
  const main = document.querySelector("main");
  const [before, counted] = [statements(main), count(main)];
  const focused = document.activeElement?.getAttribute("href");
  adopt(main, fresh);
  // Rows may have moved.
  if (focused && document.activeElement?.getAttribute("href") !== focused) {
    main.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  }
  if (!tell(before, statements(main)) && count(main) !== counted) say(count(main));
}

let isRenewing = false;
let isChangedAgain = false;

/** Makes the page again a moment later, and once more if something changes in that time. */
function renewSoon(pause) {
  isChangedAgain = isRenewing;
  if (isRenewing) return;
  isRenewing = true;
  setTimeout(async () => {
    let next = settle;
    try {
      await renew();
      isOld = false;
      for (const mark of sources()) if (!mark.dataset.events) hear(mark);
    } catch {
      isOld = true;
      isChangedAgain = true;
      next = retryAfter;
    }
    showState();
    isRenewing = false;
    if (isChangedAgain && document.visibilityState === "visible") renewSoon(next);
  }, pause);
}

/** How many heartbeats may be missed: a proxy may hold back what the service sends, and nobody says that a service is gone. */
const beats = 2.5;

/** Whether the page could not be made again the last time. */
let isOld = false;

/** What keeps the page up to date: streams of events, or a period. */
function sources() {
  return [...document.querySelectorAll("[data-beat]")];
}

function showState() {
  const all = sources();
  let state = "";
  if (isOld || all.some((mark) => mark.isLost)) state = " · not live: load the page again to see changes";
  else if (all.length > 0 && all.every((mark) => mark.isHeard)) state = " · live";
  const shown = document.getElementById("live-state");
  if (shown.textContent !== state) shown.textContent = state;
}

/** Something came from a source. */
function hear(mark) {
  Object.assign(mark, { heardAt: Date.now(), isHeard: true, isLost: false });
  showState();
}

/** Nothing is known of a source yet. */
function expect(mark) {
  Object.assign(mark, { heardAt: Date.now(), isHeard: false, isLost: false });
}

function lose(mark) {
  mark.isLost = true;
  showState();
}

/** Gives up sources that have been silent for too long, and asks for their streams anew. */
function watch() {
  if (document.visibilityState !== "visible") return;
  for (const mark of sources()) {
    if (Date.now() - mark.heardAt <= beats * Number(mark.dataset.beat)) continue;
    mark.heardAt = Date.now();
    lose(mark);
    if (mark.stream) {
      mark.stream.close();
      mark.stream = follow(mark);
    }
  }
}

/** Follows the events of a project. A new stream begins with an event. */
function follow(mark) {
  const stream = new EventSource(mark.dataset.events);
  stream.addEventListener("beat", () => hear(mark));
  stream.onmessage = (event) => {
    hear(mark);
    const { flags } = JSON.parse(event.data);
    const { flag } = mark.dataset;
    // An event without names says that any flag may have changed.
    const isMeant = !flag || flags.length === 0 || flags.some((each) => `${each.flag_type}/${each.flag_name}` === flag);
    // Not all at once: everybody who looks at the project has the event now.
    if (isMeant) renewSoon(settle + Math.random() * spread);
  };
  stream.onerror = () => {
    lose(mark);
    if (stream.readyState !== EventSource.CLOSED) return;
    // It was refused: too many are open, or nobody is signed in any more, which the page then shows.
    renewSoon(settle);
    mark.retry = setTimeout(() => { mark.stream = follow(mark); }, retryAfter);
  };
  return stream;
}

/** The timer of a page with counts, which no event announces. */
let counting = 0;

/** Follows while the page is seen: a browser has few connections for all of its tabs. */
function begin() {
  const every = Number(document.querySelector("[data-every]")?.dataset.every);
  if (every && !counting) counting = setInterval(() => renewSoon(Math.random() * spread), every);
  for (const mark of sources()) {
    if (mark.isFollowed) continue;
    mark.isFollowed = true;
    expect(mark);
    if (mark.dataset.events) mark.stream = follow(mark);
    else mark.period = setInterval(() => renewSoon(0), Number(mark.dataset.beat));
  }
  showState();
}

function end() {
  clearInterval(counting);
  counting = 0;
  for (const mark of sources()) {
    clearTimeout(mark.retry);
    clearInterval(mark.period);
    mark.stream?.close();
    mark.stream = null;
    mark.isFollowed = false;
  }
}

begin();
setInterval(watch, 1000);
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" ? begin() : end());
window.addEventListener("pagehide", end);
window.addEventListener("pageshow", begin);
