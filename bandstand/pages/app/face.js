// What an alert looks like: the same words and colours on a phone and in the operators' preview. Text nodes only.

import { make, moment } from "/app/words.js";

export const SEVERITY = { extreme: "Extreme danger", severe: "Danger", moderate: "Warning", minor: "Take note", unknown: "Alert" };
export const RESPONSE = {
  shelter: "Take shelter",
  evacuate: "Leave the area",
  prepare: "Get ready",
  execute: "Do as was planned",
  avoid: "Stay away",
  monitor: "Keep an eye on this page",
  assess: "Look around you",
  all_clear: "All clear",
  none: "",
};
const KIND = { update: "Update", cancel: "Cancelled", all_clear: "All clear" };
const STATUS = {
  exercise: ["DRILL", "This is a drill. Nothing has happened."],
  test: ["TEST", "This is a test. Nothing has happened."],
};
const GRAVITY = Object.keys(SEVERITY);

export const graver = (one, other) => GRAVITY.indexOf(one.severity) - GRAVITY.indexOf(other.severity);
export const statusWord = (frame) => STATUS[frame.status]?.[0] ?? "";
export const closing = (frame) => frame.kind === "cancel" || frame.kind === "all_clear";

// In the reader's language where there is one, else in the first.
export function wordsOf(frame, languages = navigator.languages ?? []) {
  const info = frame.info ?? {};
  const told = Object.keys(info);
  const plain = (lang) => lang.toLowerCase().split("-")[0];
  const lang = languages.map((wanted) => told.find((each) => plain(each) === plain(wanted))).find(Boolean) ?? told[0] ?? "";
  return { lang, headline: String(info[lang]?.headline ?? ""), text: String(info[lang]?.text ?? "") };
}

function heading(frame) {
  if (closing(frame)) return KIND[frame.kind];
  const words = [SEVERITY[frame.severity] ?? SEVERITY.unknown, RESPONSE[frame.response] ?? ""];
  if (frame.kind === "update") words.unshift(KIND.update);
  return words.filter(Boolean).join(" · ");
}

// The words of an alert; `spoken`: told to a screen reader the moment they appear.
export function face(frame, { spoken = true, skew = 0, languages } = {}) {
  const { lang, headline, text } = wordsOf(frame, languages);
  const [word, line] = STATUS[frame.status] ?? [];
  const loud = spoken ? { role: "alert", "aria-live": "assertive", "aria-atomic": "true" } : {};
  const until = Number.isFinite(frame.expires) ? `In force until ${moment(frame.expires * 1000 - skew)}` : "";
  return make(
    "div",
    { class: "alert-words", ...loud },
    word ? make("p", { class: "alert-status" }, make("strong", {}, word), make("span", { class: "alert-line" }, ` ${line}`)) : null,
    // "Cancelled" is not said twice where the headline begins with it.
    headline.startsWith(heading(frame)) ? null : make("p", { class: "alert-kind" }, heading(frame)),
    make("h2", { class: "alert-headline", dir: "auto", lang: lang || null }, headline),
    text ? make("p", { class: "alert-text", dir: "auto", lang: lang || null }, text) : null,
    until && !closing(frame) ? make("p", { class: "alert-until" }, until) : null,
  );
}

export function dress(element, frame) {
  element.dataset.severity = frame.severity in SEVERITY ? frame.severity : "unknown";
  element.dataset.status = frame.status in STATUS ? frame.status : "actual";
  element.dataset.kind = frame.kind in KIND ? frame.kind : "alert";
}
