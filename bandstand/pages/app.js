// The attendee's page: the door, the room, and what connects them.

import { Alerts } from "/app/alerts.js";
import { setChips } from "/app/bubble.js";
import { Composer } from "/app/composer.js";
import { Link, Lost } from "/app/link.js";
import { Log } from "/app/log.js";
import { startLook } from "/app/look.js";
import { dropNotes, keepNote, showNotes } from "/app/notes.js";
import { uuid7 } from "/app/outbox.js";
import { Pins } from "/app/pins.js";
import { askReport } from "/app/report.js";
import { Room } from "/app/room.js";
import { Status } from "/app/status.js";
import { forget, recall, remember } from "/app/store.js";
import { byId, moment, refusal, sentence, setText, show, titled, whyOver } from "/app/words.js";

const TITLE = document.title;
const EDIT_PATIENCE_MS = 10_000;
const OFFLINE = "You are offline: nothing is changed yet. Send it again when you are back.";
const UNKNOWN = "The connection was lost: nobody knows whether it is changed. Send it again when you are back.";

let room = null;
const log = new Log({
  reply: (item) => composer.reply(item),
  edit: (item) => composer.edit(item),
  remove: askRemove,
  react,
  report: (item) => askReport(item, (why) => room.request({ type: "report", seq: item.entry.seq, why })),
  go,
  missing: (why) => composer.complain(why),
  again: (letter) => {
    const next = room.again(letter);
    if (next !== letter) log.dropLetter(letter.cid);
    log.showLetter(next);
  },
  discard: (letter) => {
    room.outbox.settle(letter);
    log.dropLetter(letter.cid);
    room.deliver();
  },
});
const link = new Link(`${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}/ws`, {
  credentials: () => (recall("token") ? { token: recall("token"), ...renamed() } : { nickname: recall("nickname") }),
  unknown: () => {
    forget("token");
    dropNotes(byId("notes"));
  },
  positions: () => (room?.joined && room.position ? { [room.name]: room.position.seq } : {}),
  ready,
  frame: (frame) => (frame.type === "note" ? keepNote(byId("notes"), frame) : alerts.frame(frame) || room?.frame(frame)),
  state: stateChanged,
});
const alerts = new Alerts(link);
const pins = new Pins({ jump: (seq) => log.jump(seq), go });
const status = new Status(link, () => (link.state.name === "over" ? location.reload() : link.retryNow()));
const composer = new Composer({
  say,
  edit,
  typing: () => room?.joined && link.say({ type: "typing", room: room.name }),
  busy: () => (room.outbox.full ? "Too much is waiting to be sent. Wait until you are back online." : ""),
});

// A token brings the same person back; with a nickname, under a new name.
function renamed() {
  return recall("renamed") ? { nickname: recall("nickname") } : {};
}

function ready(frame) {
  link.member = frame.member;
  remember("token", frame.token);
  forget("renamed");
  composer.limit = link.limits.text_code_points ?? composer.limit;
  log.me = frame.member;
  alerts.ready(frame.alerts);
  room?.join();
}

function stateChanged(state) {
  if (state.name !== "online") room?.connectionLost();
  if (state.name === "over") {
    // Whoever is not let in stays who they are: of all refusals only that of the token itself (`unknown`) costs it.
    const said = whyOver(state.code, state.why, state.retryAt);
    if (byId("inside").hidden || state.code === 4401) goOut(said);
    else link.state.why = said;
  }
  alerts.connectionChanged();
  status.draw();
}

// The door

function wanted() {
  const asked = new URLSearchParams(location.hash.slice(1));
  return cleanRoom(asked.get("room") ?? asked.get("code") ?? "");
}

function cleanRoom(text) {
  return text.trim().toLowerCase().replace(/[\s_]+/g, "-");
}

// left: the room that one comes from.
function openDoor(problem = "", left = null) {
  show(byId("inside"), false);
  show(byId("door"), true);
  document.title = TITLE;
  byId("nickname").value = recall("nickname", "");
  byId("room").value = wanted() || recall("room", "");
  const named = wanted();
  setText(byId("door-title"), named ? titled(named) : "Come in");
  setText(byId("door-problem"), problem);
  setText(byId("door-kept"), unsent(left));
  byId(byId("nickname").value ? "room" : "nickname").focus();
}

byId("enter").addEventListener("submit", (event) => {
  event.preventDefault();
  const nickname = byId("nickname").value.trim();
  const name = cleanRoom(byId("room").value);
  const problem = !nickname
    ? "Tell people what to call you."
    : !/^[a-z0-9][a-z0-9-]{1,47}$/.test(name)
      ? "A room is written with letters, digits and hyphens, such as blue-stage-42."
      : "";
  setText(byId("door-problem"), problem);
  if (problem) {
    byId(nickname ? "room" : "nickname").focus();
    return;
  }
  if (nickname !== recall("nickname") && recall("token")) remember("renamed", true);
  const reconnect = nickname !== recall("nickname") && link.state.name === "online";
  remember("nickname", nickname);
  enter(name);
  if (reconnect) link.open();
});

// What was said in a room that is left and has not arrived there.
function unsent(left) {
  const count = left?.outbox.letters.length ?? 0;
  if (!count) return "";
  const said = count === 1 ? "1 message" : `${count} messages`;
  const where = left.title && left.title !== left.name ? left.title : titled(left.asked);
  return `${said} to ${where} ${count === 1 ? "is not sent. It is" : "are not sent. They are"} kept on this phone until you are there again.`;
}

// The room

function enter(name) {
  const behind = room && ![room.name, room.asked].includes(name) ? unsent(room) : "";
  room?.leave();
  log.clear();
  pins.clear();
  const mine = new Room(link, name, {
    joined: (ok) => joined(mine, ok),
    alerts: (listed) => alerts.joined(listed),
    removed: (frame) => removedFrom(mine, frame),
    anew: () => {
      log.clear();
      pins.clear();
    },
    entry: (frame) => heard(mine, frame),
    gap: (gap) => log.gap(gap),
    caughtUp: () => caughtUp(mine),
    letter: (...told) => mine === room && lettered(...told),
    reactions: (seq, counts) => log.reactions(seq, counts),
    typing: (nickname, member) => member !== link.member && status.typing(nickname, member),
    changed: () => status.draw(),
    refused: (error) => turnedAway(mine, error),
    // Else this person would be counted in a room that the page does not show.
    late: (ok) => [ok.room, ok.code].includes(room?.asked) || link.ask({ type: "leave", room: ok.room }).catch(() => {}),
  });
  room = status.room = mine;
  log.use(room, link.member);
  show(byId("door"), false);
  show(byId("inside"), true);
  setText(byId("title"), titled(name));
  setText(byId("door-problem"), "");
  history.replaceState(null, "", `#room=${name}`);
  status.typists.clear();
  composer.entered();
  composer.complain(behind);
  mine.outbox.letters.forEach((letter) => log.showLetter(letter));
  if (link.state.name === "online") room.join();
  else if (link.state.name === "offline") link.wake();
  else if (link.socket === null) started();
  status.draw();
}

let begun = false;
function started() {
  if (begun) link.open();
  else link.start();
  begun = true;
}

function joined(mine, ok) {
  remember("room", mine.name);
  history.replaceState(null, "", `#room=${mine.name}`);
  const title = mine.title === mine.name ? titled(mine.name) : mine.title;
  setText(byId("title"), title);
  document.title = `${title} · Bandstand`;
  mine.outbox.letters.forEach((letter) => log.showLetter(letter));
  byId("messages").setAttribute("aria-busy", "true");
  pins.pin(ok.pinned ?? null, (seq) => messageAt(mine, seq));
}

// The message at a seq, from the page or else from the server.
async function messageAt(mine, seq) {
  log.flush();
  const known = log.items.get(seq)?.entry;
  if (known) return known;
  const page = await mine.request({ type: "history", before: seq + 1, limit: 1 }).catch(() => null);
  return page?.items.find((item) => item.seq === seq && item.type === "message") ?? null;
}

function caughtUp(mine) {
  log.caughtUp();
  byId("messages").removeAttribute("aria-busy");
  const read = recall(`read.${mine.name}`);
  if (!mine.marked && read?.epoch === mine.position.epoch) log.markNew(read.seq);
  mine.marked = true;
  noteRead(mine);
  status.draw();
}

function heard(mine, frame) {
  log.add(frame);
  pins.entry(frame, (seq) => messageAt(mine, seq));
  status.stopped(frame.member);
  if (!document.hidden) noteRead(mine);
}

let readTimer = null;
function noteRead(mine) {
  readTimer ??= setTimeout(() => {
    readTimer = null;
    if (mine.position) remember(`read.${mine.name}`, mine.position);
  }, 500);
}

// Somebody with the right to do so has taken this person out of the room.
function removedFrom(mine, { reason, until, to }) {
  if (to) remember("room", to);
  else forget("room");
  history.replaceState(null, "", location.pathname);
  if (to) {
    goOut(`${titled(mine.name)} has moved to ${titled(to)}. ${reason ? `${reason} ` : ""}Come in there.`);
    return;
  }
  const back = until ? ` You can come back after ${moment(until * 1000 - link.skew)}.` : "";
  goOut(sentence(`You were taken out of ${titled(mine.name)}${reason ? `: ${reason}` : ""}`) + back);
}

function go(name) {
  if (!name || name === room?.name) return;
  enter(String(name));
}

function turnedAway(mine, error) {
  if (mine !== room) return;
  history.replaceState(null, "", location.pathname);
  goOut(refusal(error.message, error.after && Date.now() + error.after));
  byId("room").value = mine.asked;
}

function say(text, replyTo) {
  log.showLetter(room.say(text, replyTo));
  log.toNewest();
  status.draw();
}

function lettered(letter, fate, ok) {
  if (fate === "stored") log.stored(letter, ok);
  else log.showLetter(letter);
  status.draw();
}

async function attempt(work) {
  try {
    await work();
  } catch (error) {
    composer.complain(error.message || "That did not work: you are offline.");
  }
}

// Rejects with words for people.
async function edit(item, text) {
  if (!room.joined) throw new Error(OFFLINE);
  const frame = { type: "edit", cid: uuid7(), target: item.entry.seq, text };
  try {
    await room.request(frame, { patienceMs: EDIT_PATIENCE_MS, stumbles: 0 });
  } catch (error) {
    throw error instanceof Lost ? new Error(UNKNOWN) : error;
  }
}

function askRemove(item) {
  const dialog = byId("delete-dialog");
  byId("delete-yes").onclick = () => {
    dialog.close();
    attempt(() => room.request({ type: "delete", cid: uuid7(), target: item.entry.seq }));
  };
  dialog.showModal();
}

function react(item, emoji) {
  const on = !item.pressed.has(emoji);
  const press = (pressed) => {
    item.pressed[pressed ? "add" : "delete"](emoji);
    setChips(item, item.counts, log.acts);
  };
  press(on);
  attempt(async () => {
    try {
      await room.request({ type: "react", target: item.entry.seq, emoji, on });
    } catch (error) {
      press(!on);
      throw error;
    }
  });
}

// Dialogs

function showMenu() {
  setText(byId("menu-name"), room.nickname || recall("nickname", ""));
  setText(byId("menu-code"), room.code ? `Others come in with the code ${room.code}` : "");
  byId("menu-dialog").showModal();
}

// Out of the room, for whatever reason, to the door.
function goOut(problem = "") {
  document.querySelectorAll("dialog[open]").forEach((dialog) => dialog.close());
  const left = room;
  left?.leave();
  room = status.room = null;
  openDoor(problem, left);
}

function goAway() {
  history.replaceState(null, "", location.pathname);
  forget("room");
  goOut();
}

byId("menu").addEventListener("click", showMenu);
byId("leave").addEventListener("click", goAway);
byId("rename").addEventListener("click", () => {
  goAway();
  byId("nickname").focus();
  byId("nickname").select();
});
document.querySelectorAll("dialog").forEach((dialog) =>
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog || event.target.closest("[data-close]")) dialog.close();
  }),
);
document.addEventListener("visibilitychange", () => !document.hidden && room && noteRead(room));
addEventListener("hashchange", () => {
  const name = wanted();
  if (name && name !== room?.name && name !== room?.asked) recall("nickname") ? enter(name) : openDoor();
});

startLook();
showNotes(byId("notes"));
const first = wanted() || recall("room", "");
if (first && recall("nickname")) enter(first);
else openDoor();
