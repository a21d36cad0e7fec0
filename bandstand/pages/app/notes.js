// What the house does in a room, on the page: hides and restores messages, clears, pins, announces, and moves people.

import { redraw } from "./bubble.js";
import { changed } from "./rules.js";
import { forget, recall, remember } from "./store.js";
import { make, titled } from "./words.js";

const NOTES = 20;

// Entries that stand in the log as a line or a card of their own.
const LINES = {
  policy: (frame) => line(frame, changed(frame)),
  cleared: (frame) => line(frame, "Earlier messages were taken away by the stewards"),
  notice: (frame) =>
    make(
      "div",
      { class: "announcement", "data-seq": frame.seq },
      make("p", { class: "announcement-by" }, make("span", { class: "badge" }, frame.badge || "Announcement")),
      make("p", { class: "announcement-text", dir: "auto" }, frame.text ?? ""),
    ),
  alert_notice: (frame) => {
    const word = { exercise: "DRILL", test: "TEST" }[frame.status] ?? "Alert";
    return line(frame, `${word}: ${frame.headline ?? ""}`);
  },
  moved: (frame, acts) =>
    make(
      "div",
      { class: "line-note line-moved", "data-seq": frame.seq },
      make("span", { dir: "auto" }, `This room moves to ${titled(String(frame.to))}. ${frame.reason ?? ""}`),
      make("button", { type: "button", class: "load", click: () => acts.go(frame.to) }, "Go there"),
    ),
};

export const isLine = (frame) => frame.type in LINES && !frame.erased && !(frame.type === "moved" && !frame.to);
export const lineOf = (frame, acts) => LINES[frame.type](frame, acts);
export const line = (frame, text) => make("div", { class: "line-note", "data-seq": frame.seq, dir: "auto" }, text);

const notesKept = () => recall("notes", []).filter((note) => typeof note?.text === "string");
const same = (one, other) => one.ts === other.ts && one.text === other.text;

// A word of the organisers to this person alone: stays until it was closed, over reloads too.
export function keepNote(list, { ts, text = "" }) {
  const note = { ts, text };
  remember("notes", [...notesKept().filter((each) => !same(each, note)), note].slice(-NOTES));
  privateNote(list, note);
}

export function showNotes(list) {
  for (const note of notesKept()) privateNote(list, note);
}

// Who comes in on this device from now on is somebody else.
export function dropNotes(list) {
  forget("notes");
  list.replaceChildren();
  list.hidden = true;
}

function privateNote(list, kept) {
  const words = make("span", { role: "status", dir: "auto" }, `From the organisers: ${kept.text}`);
  const note = make("li", { class: "strip strip-note" }, words);
  const away = () => {
    remember(
      "notes",
      notesKept().filter((each) => !same(each, kept)),
    );
    note.remove();
    list.hidden = !list.childElementCount;
  };
  note.append(make("button", { type: "button", class: "strip-button", click: away }, "Close"));
  list.append(note);
  list.hidden = false;
}

// What an entry does to those that came before it.
export function applyTo(log, frame) {
  switch (frame.type) {
    case "hidden":
      return hide(log, log.items.get(frame.target));
    case "restored":
      return restore(log, frame);
    case "cleared":
      return clear(log, frame.upto);
    case "uncleared":
      return log.reload();
  }
}

// The words leave this device too: what is hidden is often somebody's address.
function hide(log, item) {
  if (!item || item.entry.deleted) return;
  Object.assign(item.entry, { hidden: true, text: "" });
  redraw(item);
  log.requote(item.entry.seq);
}

async function restore(log, frame) {
  const item = log.items.get(frame.target);
  if (!item) return;
  const page = frame.text === undefined ? await log.page({ before: frame.target + 1, limit: 1 }) : null;
  const found = page?.items.find((each) => each.seq === frame.target) ?? frame;
  if (found.text === undefined || item.entry.deleted) return;
  Object.assign(item.entry, { hidden: Boolean(found.hidden), text: found.text });
  redraw(item);
  log.requote(frame.target);
}

function clear(log, upto) {
  for (const element of [...log.list.children]) {
    if (Number(element.dataset.seq) > upto) break;
    element.remove();
  }
  for (const seq of [...log.items.keys()]) if (seq <= upto) log.items.delete(seq);
  for (const quote of log.list.querySelectorAll(".quote")) if (Number(quote.dataset.quotes) <= upto) log.requote(quote.dataset.quotes);
  log.reached = Math.max(log.reached, upto + 1);
  if (log.list.firstElementChild) log.neighbours(log.list.firstElementChild);
}
