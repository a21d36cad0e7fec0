// The fields of an order's form: how each is drawn, and what was filled in.

import { make } from "/app/words.js";

// field: {name, label, kind: text|number|select|area|password|check, value, options, required, max, hint, list, keepEmpty,
// changed: sent only when it was changed}.
export function control(field) {
  const id = `field-${field.name}`;
  const common = { id, class: "field", "aria-describedby": field.hint ? `${id}-hint` : null, required: Boolean(field.required) };
  const input = MAKERS[field.kind]?.(field, common) ?? make("input", { ...common, type: "text", autocomplete: "off", dir: "auto", maxlength: field.max ?? 200, placeholder: field.placeholder });
  if (field.kind === "check") input.checked = Boolean(field.value);
  else if (field.kind !== "select") input.value = field.value ?? "";
  const label = make("label", { for: id }, field.label);
  const hint = field.hint ? make("p", { class: "hint", id: `${id}-hint` }, field.hint) : null;
  const row = field.kind === "check" ? make("div", { class: "pick" }, input, label, hint) : make("div", { class: "row" }, label, input, hint);
  return { row, input, label, field };
}

const MAKERS = {
  select: (field, common) => make("select", common, ...field.options.map(([value, label]) => make("option", { value, selected: value === field.value }, label))),
  area: (field, common) => make("textarea", { ...common, rows: field.rows ?? 4, maxlength: field.max ?? 2000, dir: "auto" }),
  number: (field, common) => make("input", { ...common, type: "number", min: field.min, max: field.most, step: "any", inputmode: "decimal", autocomplete: "off" }),
  password: (field, common) => make("input", { ...common, type: "password", maxlength: 256, autocomplete: "new-password" }),
  check: (field, common) => make("input", { ...common, class: null, type: "checkbox" }),
};

export function valueOf({ input, field }) {
  if (field.kind === "check") return input.checked;
  if (field.kind === "password") return input.value;
  const text = input.value.trim();
  if (field.kind === "number") return text === "" ? "" : Number(text);
  return field.list ? text.split(/[\s,]+/).filter(Boolean) : text;
}

const asText = (value) => (Array.isArray(value) ? value.join(" ") : String(value ?? ""));

// Whether what is in the field goes along with the order.
export function counts(each) {
  const value = valueOf(each);
  if (each.field.changed) return asText(value) !== asText(each.field.value ?? (each.field.kind === "check" ? false : "")) && !(each.field.kind === "number" && value === "");
  return each.field.keepEmpty || asText(value) !== "";
}
