// What makes the pages live. Everything works without it; with it nothing needs reloading.
//
//   <div class="fragment" data-src="/panels/x" data-when="failures rates">   asked again on a signal
//   <form data-live>          sent in the background; the answer's {said} is shown as a toast
//   <tr tabindex="-1" data-href="/messages/…">       opened by click and Enter, walked by j and k
//   <… data-key="…">          the same thing before and after a refresh: kept, with its focus
//   <button data-part="x">    what it does to the form is done by the server, and only #x is worked in
//   <tbody data-row>          Alt, Shift and an arrow, Enter or Delete press the row's button for it
"use strict";

// ---- Refreshing: new markup is worked into the old, so that focus, ticks and hover survive ----

const keyOf = (node) => (node.nodeType === 1 ? node.id || node.dataset.key || "" : "");
const KEPT = new Set(["open", "checked", "value"]);
// What nobody can type follows the server.
const kept = (node, name) => KEPT.has(name) && !(name === "value" && (node.type === "hidden" || node.nodeName === "OPTION"));
const MOST_FRESH = 3; // more new rows than that would be flicker, not news

function blend(old, fresh) {
  if (old.nodeType !== 1) {
    if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
    return;
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value && !kept(old, name)) old.setAttribute(name, value);
  }
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !kept(old, name)) old.removeAttribute(name);
  }
  blendChildren(old, fresh);
}

function blendChildren(old, fresh) {
  const stays = new Set([...fresh.childNodes].map(keyOf).filter(Boolean));
  const keyed = new Map();
  for (const child of [...old.children]) {
    const key = keyOf(child);
    // What is gone goes first: moving what stays would take its focus away.
    if (key && !stays.has(key)) child.remove();
    else if (key) keyed.set(key, child);
  }
  const wasFull = keyed.size > 0;
  const come = [...fresh.children].filter((child) => keyOf(child) && !keyed.has(keyOf(child)));
  let at = old.firstChild;
  for (const node of [...fresh.childNodes]) {
    const key = keyOf(node);
    const same = key ? keyed.get(key) : at && !keyOf(at) && at.nodeName === node.nodeName ? at : null;
    // White space left by a row that is gone would push all that follow it out of their places.
    while (key && same && at !== same && at && !keyOf(at)) at = drop(at);
    if (!same) {
      if (key && wasFull && come.length <= MOST_FRESH) node.classList.add("fresh");
      old.insertBefore(node, at);
    } else {
      if (same === at) at = at.nextSibling;
      else old.insertBefore(same, at);
      blend(same, node);
    }
  }
  while (at) at = drop(at);
}

function drop(node) {
  const next = node.nextSibling;
  node.remove();
  return next;
}

const asking = new WeakMap();

async function refresh(fragment) {
  // What a person points at must not move away under the pointer.
  if (fragment.querySelector("[data-calm]:hover")) return;
  if (asking.has(fragment)) {
    asking.set(fragment, "again");
    return;
  }
  asking.set(fragment, "once");
  try {
    const answer = await fetch(fragment.dataset.src, { headers: { "X-Fragment": "1" } });
    if (!answer.ok) throw new Error(String(answer.status));
    const made = document.createElement("template");
    made.innerHTML = await answer.text();
    blendChildren(fragment, made.content);
    fragment.classList.remove("stale");
    light();
  } catch {
    // Old figures, marked as such, are worth more than an empty panel.
    fragment.dataset.stale = document.body.dataset.stale;
    fragment.classList.add("stale");
  }
  const again = asking.get(fragment) === "again";
  asking.delete(fragment);
  if (again) refresh(fragment);
}

const missed = new Set();

function changed(words) {
  if (document.hidden) {
    words.forEach((word) => missed.add(word));
    return;
  }
  for (const fragment of document.querySelectorAll("[data-src]")) {
    const when = (fragment.dataset.when || "").split(" ");
    if (words.some((word) => when.includes(word))) refresh(fragment);
  }
}

const refreshAll = () => document.querySelectorAll("[data-src]").forEach(refresh);

document.addEventListener("visibilitychange", () => {
  if (!document.hidden && missed.size) changed([...missed]);
  if (!document.hidden) missed.clear();
});

// ---- Signals ----

function listen() {
  const live = document.getElementById("live");
  const tell = (state) => {
    live.className = `live ${state}`;
    live.lastElementChild.textContent = document.body.dataset[state];
  };
  const source = new EventSource(document.body.dataset.signals);
  let lost = false;
  source.addEventListener("hello", () => {
    tell("on");
    if (lost) refreshAll();
    lost = false;
  });
  source.addEventListener("changed", (event) => changed(event.data.split(" ")));
  source.addEventListener("error", () => {
    lost = true;
    tell("lost");
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, 5000);
  });
  addEventListener("pagehide", () => source.close());
  addEventListener("pageshow", (event) => event.persisted && listen());
}

// ---- Forms sent in the background ----

function toast(text, tone = "") {
  const note = document.createElement("p");
  note.className = `toast ${tone}`;
  note.textContent = text;
  document.getElementById("toasts").append(note);
  setTimeout(() => note.remove(), 6000);
}

async function send(form, button) {
  const fields = new URLSearchParams(new FormData(form, button));
  button?.setAttribute("disabled", "");
  try {
    const answer = await fetch(button?.getAttribute("formaction") || form.action, {
      method: "POST",
      body: fields,
      headers: { Accept: "application/json" },
    });
    const { said } = await answer.json();
    toast(said, answer.ok ? "" : "bad");
  } catch {
    toast(document.body.dataset.failed, "bad");
  }
  button?.removeAttribute("disabled");
  changed(["failures"]);
}

// ---- Parts of a form: what is typed elsewhere stays, and the row in hand keeps its focus ----

async function work(form, button) {
  const part = document.getElementById(button.dataset.part);
  const fields = new URLSearchParams(new FormData(form, button));
  try {
    const answer = await fetch(form.action, { method: "POST", body: fields });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const held = document.activeElement;
    blendChildren(part, page.getElementById(part.id));
    const wanted = part.querySelector("[autofocus]");
    const row = held.isConnected && held.closest("[data-row]");
    (row && row.contains(wanted) && held.offsetParent ? held : wanted)?.focus();
  } catch {
    toast(document.body.dataset.failed, "bad");
  }
}

// What the chosen one is called stands beside its code.
document.addEventListener("input", (event) => {
  const { list, value } = event.target;
  const told = list && event.target.closest("[data-row]")?.querySelector("[data-told]");
  if (!told) return;
  told.textContent = [...list.options].find((each) => each.value === value)?.textContent || "";
});

document.addEventListener("submit", (event) => {
  const button = event.submitter;
  if (!button?.dataset.part) return;
  event.preventDefault();
  work(event.target, button);
});

document.addEventListener("submit", (event) => {
  const form = event.target;
  const button = event.submitter;
  if (!form.matches("form[data-live]") || button?.hasAttribute("data-page")) return;
  event.preventDefault();
  send(form, button);
});

document.addEventListener("change", (event) => {
  const box = event.target;
  if (!box.matches("[data-ticks]")) return;
  for (const each of document.getElementsByName(box.dataset.ticks)) each.checked = box.checked;
});

// ---- Rows ----

const ROW = "[data-href], main summary";
const rows = () => [...document.querySelectorAll(ROW)].filter((row) => row.offsetParent);

function walk(step) {
  const all = rows();
  const here = all.indexOf(document.activeElement?.closest(ROW));
  const next = here < 0 ? (step > 0 ? 0 : all.length - 1) : here + step;
  all[Math.max(0, Math.min(next, all.length - 1))]?.focus();
}

document.addEventListener("click", (event) => {
  const row = event.target.closest("[data-href]");
  if (!row || event.target.closest("a, button, input, label, summary")) return;
  if (String(getSelection())) return; // somebody copies a number
  location.assign(row.dataset.href);
});

// ---- The map: what hangs together lights up ----

let lit = null;

function light() {
  const map = document.querySelector(".map");
  if (!map) return;
  const node = lit && lit.isConnected ? lit : null;
  const name = node?.dataset.node;
  const near = new Set([name]);
  map.classList.toggle("focusing", Boolean(node));
  for (const link of map.querySelectorAll(".link")) {
    const ends = [link.dataset.from, link.dataset.to];
    const on = link === node || (name && ends.includes(name));
    link.classList.toggle("lit", Boolean(on));
    if (on) ends.forEach((end) => near.add(end));
  }
  for (const each of map.querySelectorAll("[data-node]")) {
    each.classList.toggle("lit", Boolean(node) && near.has(each.dataset.node));
  }
  const told = map.querySelector(".map-told");
  told.textContent = node?.dataset.told || told.dataset.rest;
}

function point(event) {
  const found = event.target.closest?.(".map [data-node], .map .link") || null;
  if (found === lit) return;
  lit = found;
  light();
}
document.addEventListener("pointerover", point);
document.addEventListener("focusin", point);

// ---- Choosing all ----

for (const all of document.querySelectorAll("[data-all]")) {
  all.hidden = false;
  all.addEventListener("change", () => {
    for (const each of all.form.elements) {
      if (each.name === all.dataset.all) each.checked = all.checked;
    }
  });
}

// ---- Keyboard ----

const help = () => document.getElementById("help");
const typing = (target) => target.closest("input, textarea, select, [contenteditable]");

document.addEventListener("keydown", (event) => {
  if (!event.altKey || !event.shiftKey || event.ctrlKey || event.metaKey) return;
  const act = event.target
    .closest?.("[data-row]")
    ?.querySelector(`[aria-keyshortcuts="Alt+Shift+${event.key}"]`);
  if (!act) return;
  event.preventDefault();
  act.click();
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (typing(event.target)) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const row = document.activeElement?.matches("[data-href]") && document.activeElement;
  const keys = {
    "/": () => document.getElementById("search").focus(),
    "?": () => (help().open ? help().close() : help().showModal()),
    j: () => walk(1),
    k: () => walk(-1),
    g: () => location.assign("/"),
    Enter: row && (() => location.assign(row.dataset.href)),
  };
  const act = keys[event.key];
  if (!act || (help().open && event.key !== "?")) return;
  event.preventDefault();
  act();
});

const helpButton = document.getElementById("help-button");
helpButton.hidden = false;
helpButton.addEventListener("click", () => help().showModal());
listen();

// Rates fall to nothing without anything happening, so their fragments are asked again by the
// clock; and so is what could not be had.
setInterval(() => {
  if (!document.hidden) document.querySelectorAll("[data-every], .stale").forEach(refresh);
}, 10000);
