// The strip of figures on top, and how old they are.

import { byId, make, setText } from "/app/words.js";
import { bytes, figure, keyed, lasting } from "./lists.js";
import { Plot } from "./plot.js";

const OLD_MS = 3_500;
export const LEVEL = { 5: "normal", 4: "no new rooms", 3: "slow, no links", 2: "known only", 1: "staff only" };

function kpis(stats) {
  const second = stats.rates?.["1s"] ?? {};
  const minute = stats.rates?.["1m"] ?? {};
  const { people = {}, rooms = {}, journal = {}, mailbox = {} } = stats;
  return [
    ["People", figure(people.online), `most ${figure(people.peak)}, in all ${figure(people.unique)}`],
    ["Rooms", figure(rooms.up), rooms.quarantined ? `${rooms.quarantined} quarantined` : `${figure(rooms.known)} known`, rooms.quarantined > 0],
    ["Messages/s", figure(second.messages), `${figure(minute.messages)} over a minute`],
    ["Deliveries/s", figure(second.deliveries), `${bytes(second.bytes)}/s`],
    ["Delay p99", `${figure(minute.p99_ms)} ms`, `half within ${figure(minute.p50_ms)} ms`, minute.p99_ms > 1_000],
    ["Loop lag", `${figure(stats.lag_p99_ms)} ms`, `deepest mailbox ${figure(mailbox.deepest)}`, stats.lag_p99_ms > 250],
    ["Journal", `${figure(journal.commit_p99_ms)} ms`, `${figure(journal.queue)} waiting, ${bytes(journal.size_bytes)}`, journal.queue > 500],
    ["Slow readers", figure(stats.slow_members), `${bytes(stats.memory_bytes)} memory`],
    ["Alerts", figure(stats.alerts_active), stats.alerts_active ? "in force" : "none in force", stats.alerts_active > 0],
    ["Lockdown", figure(stats.lockdown ?? 5), LEVEL[stats.lockdown ?? 5] ?? "", (stats.lockdown ?? 5) < 5],
    ["Processor", `${figure(100 * (stats.cpu ?? NaN))} %`, "of one core", stats.cpu > 0.9],
    ["Up for", lasting(stats.uptime_s), `${figure((stats.restarts ?? []).length)} room restarts`],
  ];
}

export class Figures {
  constructor(desk) {
    this.desk = desk;
    this.plot = new Plot();
    desk.watch("stats", (stats) => this.take(stats));
    setInterval(() => this.age(), 500);
  }

  take(stats) {
    if (stats.refused) return;
    keyed(
      byId("kpis"),
      kpis(stats),
      ([label]) => label,
      ([label]) => make("div", { class: "kpi" }, make("dt", {}, label), make("dd", { class: "kpi-value" }), make("dd", { class: "kpi-more" })),
      (element, [, value, more, bad]) => {
        setText(element.children[1], value);
        setText(element.children[2], more);
        element.classList.toggle("kpi-bad", Boolean(bad));
      },
    );
    this.plot.take(stats.series);
    this.age();
  }

  age() {
    const age = this.desk.age("stats");
    const stale = age === null || age > OLD_MS || !this.desk.online;
    document.body.classList.toggle("stale", stale);
    const words = age === null ? "No figures yet" : stale ? `Figures are ${lasting(age / 1000)} old` : "Figures are live";
    setText(byId("age"), words);
    this.plot.old(stale);
  }
}
