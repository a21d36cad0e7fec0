// What is remembered on this device. Works, for as long as the page is open, where storage is forbidden or full.

const PREFIX = "bandstand.";
const memory = new Map();

export function recall(key, otherwise = null) {
  try {
    const text = localStorage.getItem(PREFIX + key) ?? memory.get(key) ?? null;
    return text === null ? otherwise : JSON.parse(text);
  } catch {
    return otherwise;
  }
}

// False: it will be forgotten when the page closes.
export function remember(key, value) {
  const text = JSON.stringify(value);
  try {
    localStorage.setItem(PREFIX + key, text);
    memory.delete(key);
    return true;
  } catch {
    memory.set(key, text);
    return false;
  }
}

export function forget(key) {
  memory.delete(key);
  try {
    localStorage.removeItem(PREFIX + key);
  } catch {
    // Nothing was kept.
  }
}

// act(): another tab has forgotten it.
export function forgottenElsewhere(key, act) {
  addEventListener("storage", (event) => event.key === PREFIX + key && event.newValue === null && act());
}

export function remembered(prefix) {
  const keys = new Set([...memory.keys()].filter((key) => key.startsWith(prefix)));
  try {
    for (let at = 0; at < localStorage.length; at += 1) {
      const key = localStorage.key(at);
      if (key.startsWith(PREFIX + prefix)) keys.add(key.slice(PREFIX.length));
    }
  } catch {
    // Only what is in memory.
  }
  return [...keys].sort();
}
