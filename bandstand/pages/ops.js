// The operators' page: who is signed in, what is shown, and what connects the parts.

import { startLook } from "/app/look.js";
import { byId, seconds, setText, show } from "/app/words.js";
import { Audit } from "/ops/audit.js";
import { Composer } from "/ops/composer.js";
import { Desk } from "/ops/desk.js";
import { Drawer } from "/ops/drawer.js";
import { Feed } from "/ops/feed.js";
import { Figures } from "/ops/figures.js";
import { House } from "/ops/house.js";
import { Ledger } from "/ops/ledger.js";
import { Orders } from "/ops/orders.js";
import { Owner } from "/ops/owner.js";
import { People } from "/ops/person.js";
import { Acts, Reports } from "/ops/records.js";
import { Census, Rooms } from "/ops/rooms.js";
import { Second } from "/ops/second.js";
import { Sign } from "/ops/sign.js";

const WORDS = { online: "Live", connecting: "Connecting", offline: "Offline", over: "Ended" };
const desk = new Desk({ ready, changed, signedOut });
const sign = new Sign(desk);
let parts = null;
let leaving = false;
let seat = ""; // Who the page was built for.
let raising = false; // An alert was being written when the session ended.

function build() {
  const orders = new Orders(desk);
  const people = new People(desk, orders);
  const drawer = new Drawer(desk, orders, people);
  const openRoom = (room) => drawer.open(room);
  const ledger = new Ledger(desk, orders);
  const census = new Census(desk);
  parts = {
    orders,
    figures: new Figures(desk),
    rooms: new Rooms(census, openRoom),
    feed: new Feed(desk, { openRoom }),
    ledger,
    acts: new Acts(desk, orders),
    reports: new Reports(desk, orders, openRoom),
    house: new House(desk, orders, people),
    owner: new Owner(desk, orders, new Audit(desk)),
    second: new Second(desk, orders),
    composer: new Composer(desk, orders, census, () => view("alerts")),
  };
  desk.watch("activity", ({ events = [] }) => events.some(({ kind }) => kind === "act" || kind === "report") && refresh());
  view("overview");
}

function ready(frame) {
  const who = `${frame.operator}, ${frame.role}`;
  if (parts && who !== seat) {
    location.reload(); // Nothing of what one person saw and may do is left for the next one.
    return;
  }
  seat = who;
  sign.entered();
  setText(byId("who"), who);
  if (!parts) build();
  if (raising) parts.composer.goOn();
  raising = false;
  show(byId("raise-open"), desk.may("alert.raise"));
  show(byId("tab-owner"), desk.may("operator.list"));
  if (current === "owner" && !desk.may("operator.list")) view("overview");
  else opened(current);
}

// Whoever has no session any more stands in front of the sign-in, whatever was open.
function signedOut(why) {
  raising = byId("raise").open && !leaving;
  document.querySelectorAll("dialog[open]").forEach((dialog) => dialog.close());
  byId("toasts").replaceChildren();
  sign.ask(leaving ? "You are signed out." : why);
  leaving = false;
}

// A page that is not connected says so: nothing on it may pass for the present.
function changed(state) {
  if (byId("desk").hidden && state.name !== "online") {
    if (byId("sign").hidden && state.name === "offline") sign.ask();
    byId("sign-send").disabled = state.name === "connecting";
    if (state.name === "offline") setText(byId("sign-problem"), "The server cannot be reached. Trying again.");
  }
  draw();
}

function draw() {
  const { state } = desk.link;
  byId("desk").dataset.state = state.name;
  setText(byId("connection-text"), WORDS[state.name]);
  const gone = state.name !== "online";
  show(byId("offline"), gone && !byId("desk").hidden);
  parts?.orders.surface();
  if (!gone) return;
  const left = state.retryAt ? (state.retryAt - Date.now()) / 1000 : 0;
  const next = state.name === "offline" && left > 1 ? ` Next try in ${seconds(left)}.` : "";
  const why = state.why ? ` ${state.why}` : "";
  setText(byId("offline-text"), `Not connected since ${new Date(state.since).toLocaleTimeString("en-GB")}. What you see is old.${why}`);
  setText(byId("offline-next"), next);
  show(byId("retry"), state.name === "offline");
}

// Views

let current = "overview";
const VIEWS = ["overview", "alerts", "activity", "records", "house", "owner"];

function view(wanted) {
  current = wanted;
  for (const each of VIEWS) {
    show(byId(`view-${each}`), each === wanted);
    const tab = byId(`tab-${each}`);
    if (each === wanted) tab.setAttribute("aria-current", "page");
    else tab.removeAttribute("aria-current");
  }
  opened(wanted);
}

function opened(wanted) {
  if (!parts) return;
  if (wanted === "records") {
    parts.acts.load();
    parts.reports.load();
  } else if (wanted === "house") parts.house.load();
  else if (wanted === "owner") parts.owner.load();
  else if (wanted === "overview") parts.figures.plot.draw();
}

// Others have done something: what is on the screen is not as it was.
function refresh() {
  if (current === "records") opened(current);
  else if (current === "house") parts?.house.laid();
}

for (const each of VIEWS) byId(`tab-${each}`).addEventListener("click", () => view(each));
byId("raise-open").addEventListener("click", () => parts.composer.open());
byId("retry").addEventListener("click", () => desk.link.retryNow());
byId("sign-out").addEventListener("click", () => {
  leaving = true;
  desk.leave();
});
// Beside a form a slip of the finger must not lose what was written.
document.querySelectorAll("dialog.drawer").forEach((dialog) => dialog.addEventListener("click", (event) => event.target === dialog && dialog.close()));
setInterval(draw, 1_000);

startLook();
if (!sign.setup && desk.remembered) desk.resume();
else sign.ask();
