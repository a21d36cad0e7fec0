// The attendee's page: the door, the room, and what connects them.

import { Alerts } from "/app/alerts.js";
import { setChips } from "/app/bubble.js";
import { Composer } from "/app/composer.js";
import { Link } from "/app/link.js";
import { Log } from "/app/log.js";
import { startLook } from "/app/look.js";
import { privateNote } from "/app/notes.js";
import { Outbox } from "/app/outbox.js";
import { Pins } from "/app/pins.js";
import { askReport } from "/app/report.js";
import { Room } from "/app/room.js";
import { Status } from "/app/status.js";
import { forget, recall, remember } from "/app/store.js";
import { at, badgeOf, byId, make, setText, show, titled, whyOver } from "/app/words.js";

const TITLE = document.title;

let room = null;
const log = new Log({
  reply: (item) => composer.reply(item),
  edit: (item) => composer.edit(item),
  remove: askRemove,
  react,
  report: (item) => askReport(item, (why) => room.request({ type: "report", seq: item.entry.seq, why })),
  go,
  again: (letter) => {
    room.again(letter);
    log.showLetter(letter);
  },
  discard: (letter) => {
    room.outbox.settle(letter);
    log.dropLetter(letter.cid);
    room.deliver();
  },
});
const link = new Link(`${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}/ws`, {
  credentials: () => (recall("token") ? { token: recall("token"), ...renamed() } : { nickname: recall("nickname") }),
  unknown: () => forget("token"),
  positions: () => (room?.joined && room.position ? { [room.name]: room.position.seq } : {}),
  ready,
  frame: (frame) => (frame.type === "note" ? privateNote(byId("notes"), frame) : alerts.frame(frame) || room?.frame(frame)),
  state: stateChanged,
});
const alerts = new Alerts(link);
const pins = new Pins({ jump: (seq) => log.jump(seq), go });
const status = new Status(link, () => (link.state.name === "over" ? location.reload() : link.retryNow()));
const composer = new Composer({
  say,
  edit,
  typing: () => room?.joined && link.say({ type: "typing", room: room.name }),
  busy: () => (room.outbox?.full ? "Too much is waiting to be sent. Wait until you are back online." : ""),
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
    const said = whyOver(state.code, state.why);
    if (state.code === 4401) forget("token");
    if (byId("inside").hidden || state.code === 4401) openDoor(said);
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

function openDoor(problem = "") {
  show(byId("inside"), false);
  show(byId("door"), true);
  document.title = TITLE;
  byId("nickname").value = recall("nickname", "");
  byId("room").value = wanted() || recall("room", "");
  const named = wanted();
  setText(byId("door-title"), named ? titled(named) : "Come in");
  setText(byId("door-problem"), problem);
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

// The room

function enter(name) {
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
    letter: lettered,
    reactions: (seq, counts) => log.reactions(seq, counts),
    typing: (nickname, member) => member !== link.member && status.typing(nickname, member),
    changed: () => status.draw(),
    refused: (error) => turnedAway(mine, error),
  });
  room = status.room = mine;
  log.use(room, link.member);
  show(byId("door"), false);
  show(byId("inside"), true);
  setText(byId("title"), titled(name));
  setText(byId("door-problem"), "");
  status.typists.clear();
  byId("say").focus();
  if (link.state.name === "online") room.join();
  else if (link.socket === null && link.state.name !== "offline") link.socket ?? started();
  status.draw();
}

let begun = false;
function started() {
  if (begun) link.open();
  else link.start();
  begun = true;
}

function joined(mine, ok) {
  mine.outbox ??= new Outbox(mine.name);
  remember("room", mine.name);
  history.replaceState(null, "", `#room=${mine.name}`);
  const title = mine.title === mine.name ? titled(mine.name) : mine.title;
  setText(byId("title"), title);
  document.title = `${title} · Bandstand`;
  mine.outbox.letters.forEach((letter) => log.showLetter(letter));
  byId("messages").setAttribute("aria-busy", "true");
  if (ok.pinned) pins.pin(ok.pinned, (seq) => messageAt(mine, seq));
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
  room = status.room = null;
  if (to) remember("room", to);
  else forget("room");
  history.replaceState(null, "", location.pathname);
  if (to) {
    openDoor(`${titled(mine.name)} has moved to ${titled(to)}. ${reason ? `${reason} ` : ""}Come in there.`);
    return;
  }
  const back = until ? ` You can come back after ${at(until * 1000 - link.skew)}.` : "";
  openDoor(`You were taken out of ${titled(mine.name)}${reason ? `: ${reason}` : "."}${back}`);
}

function go(name) {
  if (!name || name === room?.name) return;
  enter(String(name));
}

function turnedAway(mine, error) {
  mine.leave();
  room = status.room = null;
  history.replaceState(null, "", location.pathname);
  openDoor(error.message);
}

function say(text, replyTo) {
  if (!room.outbox) {
    composer.field.value = text;
    composer.complain("One moment: still on the way into the room.");
    return;
  }
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

function edit(item, text) {
  const cid = crypto.getRandomValues(new Uint32Array(4)).join("-");
  attempt(() => room.request({ type: "edit", cid, target: item.entry.seq, text }));
}

function askRemove(item) {
  const dialog = byId("delete-dialog");
  byId("delete-yes").onclick = () => {
    dialog.close();
    const cid = crypto.getRandomValues(new Uint32Array(4)).join("-");
    attempt(() => room.request({ type: "delete", cid, target: item.entry.seq }));
  };
  dialog.showModal();
}

function react(item, emoji) {
  const on = !item.pressed.has(emoji);
  if (on) item.pressed.add(emoji);
  else item.pressed.delete(emoji);
  setChips(item, item.counts, log.acts);
  attempt(() => room.request({ type: "react", target: item.entry.seq, emoji, on }));
}

// Dialogs

async function showPeople() {
  const dialog = byId("people-dialog");
  byId("people-list").replaceChildren();
  setText(byId("people-rest"), "One moment …");
  dialog.showModal();
  await attempt(async () => {
    const page = await room.request({ type: "members", page: 1 });
    const cards = page.members.map(({ member, nickname, badge }) =>
      make("li", {}, make("bdi", {}, nickname), badgeOf(badge), member === link.member ? " (you)" : ""),
    );
    byId("people-list").replaceChildren(...cards);
    const rest = page.online - page.members.length;
    setText(byId("people-rest"), rest > 0 ? `and ${rest.toLocaleString()} more` : "");
  });
}

function showMenu() {
  setText(byId("menu-name"), room.nickname || recall("nickname", ""));
  setText(byId("menu-code"), room.code ? `Others come in with the code ${room.code}` : "");
  byId("menu-dialog").showModal();
}

function goOut() {
  byId("menu-dialog").close();
  room?.leave();
  room = status.room = null;
  history.replaceState(null, "", location.pathname);
  forget("room");
  openDoor();
}

byId("people").addEventListener("click", showPeople);
byId("menu").addEventListener("click", showMenu);
byId("leave").addEventListener("click", goOut);
byId("rename").addEventListener("click", () => {
  goOut();
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
const first = wanted() || recall("room", "");
if (first && recall("nickname")) enter(first);
else openDoor();
