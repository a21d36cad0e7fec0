// What one may have to say in a hurry, written beforehand in calm. `correction` goes out with one command if it was wrong.

const ALERTS = [
  {
    name: "Severe weather: take shelter",
    severity: "severe", urgency: "expected", certainty: "likely", response: "shelter", minutes: 60,
    headline: "Storm coming: take shelter",
    text: "A storm with lightning is near. Leave tents, masts and trees. Go to a car, a bus or a solid building and stay there until we say that it is over.",
  },
  {
    name: "Evacuate the area",
    severity: "extreme", urgency: "immediate", certainty: "observed", response: "evacuate", minutes: 60,
    headline: "Leave the area now",
    text: "Walk, do not run, to the nearest exit that stewards show you. Help those who need help. Leave your things.",
  },
  {
    name: "Fire",
    severity: "extreme", urgency: "immediate", certainty: "observed", response: "evacuate", minutes: 45,
    headline: "Fire: move away",
    text: "There is a fire. Move away from the smoke, against the wind if you can, and keep the ways free for the fire brigade.",
  },
  {
    name: "Too many people in one place",
    severity: "severe", urgency: "immediate", certainty: "observed", response: "avoid", minutes: 30,
    headline: "Do not go further: it is too full",
    text: "It is too full ahead. Stop, make room behind you and walk back slowly. Do not push.",
  },
  {
    name: "Medical emergency",
    severity: "moderate", urgency: "immediate", certainty: "observed", response: "avoid", minutes: 30,
    headline: "Make way for the medics",
    text: "The medics are on their way. Step aside and keep a lane open.",
  },
  {
    name: "Show paused",
    severity: "minor", urgency: "immediate", certainty: "observed", response: "monitor", minutes: 30,
    headline: "The show is paused",
    text: "The show is paused for a while. You are safe where you are. We will say here how it goes on.",
  },
  {
    name: "Missing person",
    severity: "minor", urgency: "expected", certainty: "observed", response: "monitor", minutes: 120,
    headline: "We are looking for somebody",
    text: "",
  },
  { name: "In own words", severity: "moderate", urgency: "expected", certainty: "likely", response: "none", minutes: 30, headline: "", text: "" },
];

const CORRECTION = { headline: "Correction: that alert was a mistake", text: "The alert before was sent by mistake. There is no danger. You need not do anything." };

export const TEMPLATES = ALERTS.map((each) => ({ correction: CORRECTION, ...each }));
