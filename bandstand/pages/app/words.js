// How things are said to people, and how elements are made: text nodes only, never markup out of strings.

const clock = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", hour12: false });
const shortDay = new Intl.DateTimeFormat([], { weekday: "short", day: "numeric", month: "long" });
const day = new Intl.DateTimeFormat([], { weekday: "long", day: "numeric", month: "long" });

export const at = (ms) => clock.format(new Date(ms));
export function dayOf(ms) {
  const midnight = new Date(ms).setHours(0, 0, 0, 0);
  if (midnight !== dayOf.last) Object.assign(dayOf, { last: midnight, word: day.format(new Date(ms)) });
  return dayOf.word;
}
// A moment that may be on another day: "14:32" today, else "Sat 14 June, 14:32".
export const moment = (ms) => (dayOf(ms) === dayOf(Date.now()) ? at(ms) : `${shortDay.format(new Date(ms))}, ${at(ms)}`);
export const iso = (ms) => new Date(ms).toISOString();
export const seconds = (value) => `${Math.max(0, Math.ceil(value))}\u00a0s`;
// 0: nobody knows how many, for whoever asks is one of them.
export const people = (count) => (count > 1 ? `${count.toLocaleString()} people here` : count === 1 ? "1 person here" : "Who is here");
// What the server says to people, as the page says things.
export const sentence = (text) => (text ? text[0].toUpperCase() + text.slice(1) + (/[.!?…]$/.test(text) ? "" : ".") : "");
// A refusal, and when it ends if that is known.
export const refusal = (message, until) => sentence(message) + (until ? ` You can come in again after ${moment(until)}.` : "");

// make("p", {class: "note", title: "..."}, "text", child, ...): attributes are set, strings become text nodes.
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

// A badge is set by the server, never by what somebody writes: it is drawn beside the name, not in it.
export const badgeOf = (badge) => (badge ? make("span", { class: "badge" }, String(badge).slice(0, 24)) : null);

export const byId = (id) => document.getElementById(id);

export function show(element, shown) {
  if (element.hidden === shown) element.hidden = !shown;
}

export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// "main-stage" -> "Main Stage", where the server has no better title.
export const titled = (name) => name.replace(/(^|-)([a-z])/g, (_, gap, letter) => (gap ? " " : "") + letter.toUpperCase()).replace(/-/g, " ");

// until: when it may be tried again, where that is known.
export function whyOver(code, why, until = null) {
  switch (code) {
    case 4401:
      return sentence(why) || "The server did not let you in. Come in again under a name.";
    case 4403:
      return sentence(why) || "You have been asked to leave.";
    case 4406:
      return "This page is older than the server. Load it again.";
    case 4409:
      return "You are here in too many windows. This one has made room.";
    case 4429:
      return `Too much at once from here. ${until ? `You can come in again after ${moment(until)}` : "Wait a while, then come in again"}.`;
    case 1000: // Who leaves closes, and does not hear this.
      return sentence(why) || "The stewards have put you out. Load the page to come in again.";
    default:
      return `The server has ended the connection (${code}). Load the page again.`;
  }
}

// Eight hues that keep their contrast in every theme; the same person has the same one everywhere.
export function hue(member) {
  let sum = 0;
  for (const letter of member) sum = (sum * 31 + letter.codePointAt(0)) % 65_521;
  return sum % 8;
}
