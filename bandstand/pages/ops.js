// The operators' page: who is signed in, what is shown, and what connects the parts.

import { startLook } from "/app/look.js";
import { byId, seconds, setText, show } from "/app/words.js";
import { Composer } from "/ops/composer.js";
import { Desk } from "/ops/desk.js";
import { Drawer } from "/ops/drawer.js";
import { Feed } from "/ops/feed.js";
import { Figures } from "/ops/figures.js";
import { House } from "/ops/house.js";
import { Ledger } from "/ops/ledger.js";
import { Orders } from "/ops/orders.js";
import { Acts, Reports } from "/ops/records.js";
import { Rooms } from "/ops/rooms.js";
import { Sign } from "/ops/sign.js";

const WORDS = { online: "Live", connecting: "Connecting", offline: "Offline", over: "Ended" };
const desk = new Desk({ ready, changed, signedOut });
const sign = new Sign(desk);
let parts = null;
let leaving = false;

function build() {
  const orders = new Orders(desk);
  const drawer = new Drawer(desk, orders);
  const openRoom = (room) => drawer.open(room);
  const ledger = new Ledger(desk, orders);
  const confirm = ({ pending, name, args, ttl_s }) =>
    orders.give(name, args, {
      title: `Confirm ${name}`,
      says: `Somebody else has ordered this and needs a second person: ${JSON.stringify(args)}`,
      danger: true,
      extra: { confirm_of: pending, ...(ttl_s && { ttl_s }) },
    });
  parts = {
    orders,
    figures: new Figures(desk),
    rooms: new Rooms(desk, openRoom),
    feed: new Feed(desk, { openRoom, confirm }),
    ledger,
    acts: new Acts(desk, orders),
    reports: new Reports(desk, orders, openRoom),
    house: new House(desk, orders),
    composer: new Composer(desk, orders, () => view("alerts")),
  };
  view("overview");
}

function ready(frame) {
  sign.entered();
  setText(byId("who"), `${frame.operator}, ${frame.role}`);
  if (!parts) build();
  show(byId("raise-open"), desk.may("alert.raise"));
  parts.house.load();
  opened(current);
}

function signedOut(why) {
  sign.ask(leaving ? "You are signed out." : why);
  leaving = false;
}

// A page that is not connected says so: nothing on it may pass for the present.
function changed(state) {
  if (byId("desk").hidden && state.name !== "online") {
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
const VIEWS = ["overview", "alerts", "activity", "records", "house"];

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
  } else if (wanted === "overview") parts.figures.plot.draw();
}

for (const each of VIEWS) byId(`tab-${each}`).addEventListener("click", () => view(each));
byId("raise-open").addEventListener("click", () => parts.composer.open());
byId("retry").addEventListener("click", () => desk.link.retryNow());
byId("sign-out").addEventListener("click", () => {
  leaving = true;
  desk.forgotten("You are signed out.");
});
document.querySelectorAll("dialog").forEach((dialog) => dialog.addEventListener("click", (event) => event.target === dialog && dialog.close()));
setInterval(draw, 1_000);

startLook();
if (!sign.setup && desk.remembered) desk.resume();
else sign.ask();
