// One message on the page, and how a keyboard moves among them.

import { at, badgeOf, hue, iso, make, setText } from "./words.js";

export const EMOJI = ["👍", "❤️", "😂", "🎉", "🙏"];
const TOGETHER_MS = 5 * 60_000;

// entry: a `message` frame, or {letter} for what is not stored yet. acts: {reply, react, edit, remove, again, discard, jump}
export function bubble(entry, me, acts) {
  const own = entry.member === me;
  const text = make("p", { class: "text", dir: "auto" });
  const chips = make("div", { class: "chips", hidden: true });
  const mark = make("span", { class: "mark" });
  const time = make("time", { datetime: iso(entry.ts * 1000) }, at(entry.ts * 1000));
  const name = make("bdi", { class: "name" }, entry.nickname || "somebody");
  const quote = entry.reply_to ? quoteOf(entry.reply_to, acts) : null;
  const more = make("button", { type: "button", class: "more", tabindex: "-1", "aria-expanded": "false" }, "⋯");
  const body = make("div", { class: "body" }, make("div", { class: "who" }, name, badgeOf(entry.badge)), quote, text);
  const foot = make("div", { class: "foot" }, time, mark);
  const element = make(
    "article",
    { class: `message${own ? " own" : ""}`, "data-hue": hue(entry.member || ""), tabindex: "-1" },
    make("div", { class: "line" }, make("div", { class: "bubble" }, body, foot), more),
    chips,
  );
  const item = { entry, element, text, chips, mark, more, own, pressed: new Set() };
  more.addEventListener("click", () => toggleActions(item, acts));
  redraw(item);
  return item;
}

function quoteOf(seq, acts) {
  const quote = make(
    "button",
    { type: "button", class: "quote", "data-quotes": seq, tabindex: "-1", click: () => acts.jump(seq) },
    make("bdi", { class: "quote-name" }),
    make("span", { class: "quote-text", dir: "auto" }),
  );
  fillQuote(quote, acts.quoted(seq));
  return quote;
}

// entry: the message that is quoted, where the page has it.
export function fillQuote(quote, entry) {
  setText(quote.querySelector(".quote-name"), entry?.nickname ?? "an earlier message");
  setText(quote.querySelector(".quote-text"), entry ? shownText(entry) : "");
}

const shownText = (entry) => (entry.deleted ? "This message was removed" : entry.hidden ? "Hidden by the stewards" : entry.text);

export function redraw(item) {
  const { entry, element } = item;
  const gone = Boolean(entry.deleted || entry.hidden);
  element.classList.toggle("gone", gone);
  setText(item.text, shownText(entry));
  if (gone) {
    setChips(item, {}, null);
    element.querySelector(".quote")?.remove();
  }
  item.more.hidden = gone || Boolean(entry.letter);
  item.more.setAttribute("aria-label", `Actions for the message of ${entry.nickname || "somebody"}`);
  drawMark(item);
}

function drawMark(item) {
  const { entry } = item;
  const letter = entry.letter;
  let said = entry.edited && !entry.deleted ? "edited" : "";
  if (letter?.state === "waiting") said = letter.why ? `waiting: ${letter.why}` : "waiting";
  if (letter?.state === "sending") said = "sending";
  if (letter?.state === "failed") said = `not sent: ${letter.why}`;
  const stored = item.own && !letter && !entry.deleted;
  item.element.classList.toggle("failed", letter?.state === "failed");
  item.element.classList.toggle("pending", Boolean(letter) && letter.state !== "failed");
  item.mark.replaceChildren(
    ...(said ? [said] : []),
    ...(stored ? [make("span", { class: "tick", role: "img", "aria-label": "stored" }, "✓")] : []),
  );
}

export function setChips(item, counts, acts) {
  const chips = Object.entries(counts ?? {}).filter(([, count]) => count > 0);
  item.counts = Object.fromEntries(chips);
  item.chips.replaceChildren(
    ...chips.map(([emoji, count]) =>
      make(
        "button",
        {
          type: "button",
          class: "chip",
          tabindex: "-1",
          "aria-pressed": String(item.pressed.has(emoji)),
          "aria-label": `${emoji} ${count}`,
          click: () => acts.react(item, emoji),
        },
        make("span", { class: "emoji" }, emoji),
        String(count),
      ),
    ),
  );
  item.chips.hidden = chips.length === 0;
}

function toggleActions(item, acts) {
  const open = item.element.querySelector(".actions");
  closeActions(item.element.parentElement);
  if (open) return;
  const act = (name, label, run) => make("button", { type: "button", class: `act ${name}`, click: () => done(item, run) }, label);
  const pictures = EMOJI.map((emoji) =>
    make("button", { type: "button", class: "act emoji", "aria-label": `React with ${emoji}`, click: () => done(item, () => acts.react(item, emoji)) }, emoji),
  );
  const own = item.own ? [act("edit", "Edit", () => acts.edit(item)), act("remove", "Delete", () => acts.remove(item))] : [act("report", "Report", () => acts.report(item))];
  const bar = make("div", { class: "actions", role: "group", "aria-label": "Actions" }, ...pictures, act("reply", "Reply", () => acts.reply(item)), ...own);
  bar.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    closeActions(item.element.parentElement);
    item.element.focus();
  });
  item.element.append(bar);
  item.more.setAttribute("aria-expanded", "true");
  bar.scrollIntoView({ block: "nearest" });
  bar.firstElementChild.focus();
}

function done(item, run) {
  closeActions(item.element.parentElement);
  item.element.focus({ preventScroll: true });
  run();
}

export function closeActions(within) {
  within?.querySelectorAll(".actions").forEach((bar) => bar.remove());
  within?.querySelectorAll('.more[aria-expanded="true"]').forEach((more) => more.setAttribute("aria-expanded", "false"));
}

// What one person says within five minutes hangs together: the name stands over the first only.
export function joinUp(element, before) {
  const one = element.item?.entry;
  const other = before?.item?.entry;
  const together =
    one && other && one.member === other.member && one.badge === other.badge && Math.abs(one.ts - other.ts) * 1000 < TOGETHER_MS && !one.letter === !other.letter;
  element.classList.toggle("follows", Boolean(together));
}

// Keyboard: one stop for all messages; arrows move among them

export function rove(list) {
  if (list.querySelector('[tabindex="0"]')) return;
  const last = [...list.querySelectorAll(".message")].at(-1);
  if (last) stopAt(list, last);
}

export function stopAt(list, element) {
  list.querySelectorAll('[tabindex="0"]').forEach((each) => each.setAttribute("tabindex", "-1"));
  element.setAttribute("tabindex", "0");
  element.querySelectorAll(".more, .chip, .quote").forEach((each) => each.setAttribute("tabindex", "0"));
}

export function keyAmong(list, event) {
  const here = event.target.closest?.(".message");
  if (!here || event.target.closest(".actions")) return;
  const messages = [...list.querySelectorAll(".message")];
  const index = messages.indexOf(here);
  const to = { ArrowUp: index - 1, ArrowDown: index + 1, Home: 0, End: messages.length - 1 }[event.key];
  if (messages[to]) {
    event.preventDefault();
    closeActions(list);
    stopAt(list, messages[to]);
    messages[to].focus();
  } else if (event.key === "Enter" && event.target === here) {
    event.preventDefault();
    here.querySelector(".more:not([hidden])")?.click();
  }
}
