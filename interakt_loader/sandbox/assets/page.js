"use strict";
// Users and events of a running sandbox. All that was sent is put in as text, never as markup.

const PAGE = 50;
const REFRESH_MS = 2000;

// ---------------------------------------------------------------- what the sandbox says

/** A number as it was sent: JavaScript's own would lose digits of a long id. */
class Sent {
  constructor(text) { this.text = text; }
}

const parse = (text) => JSON.parse(text, (_, value, context) =>
  typeof value === "number" ? new Sent(context?.source ?? String(value)) : value);

async function ask(path, query = {}) {
  const answer = await fetch(`/sandbox/${path}?${new URLSearchParams(query)}`);
  if (!answer.ok) throw new Error(`${path}: HTTP ${answer.status}`);
  return answer.text();
}

// ---------------------------------------------------------------- elements

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "onclick" || name === "oninput") element[name] = value;
    else if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

const count = (text) => Number(text).toLocaleString("en");
const moment = (seconds) => new Date(Number(seconds.text) * 1000).toISOString().replace("T", " ").slice(0, 19);
const name = (record) => record.user_id ?? record.full_phone ?? "";
const phone = (record) => (record.phone ? `${record.country_code ?? ""} ${record.phone}` : record.full_phone ?? "");
/** A name that a narrow column may break between its words, not between any letters. */
const breakable = (text) => text.split(/(?<=[_.@:/-])/).flatMap((word, at) => (at ? [make("wbr"), word] : [word]));
const toUser = (identity) => make("a", { href: `#/user/${encodeURIComponent(identity)}` }, ...breakable(identity));
const tagOf = (tag) => make("span", { class: "tag" }, ...breakable(tag));

const DATE = /^\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d.*)?$/;

function typeOf(value) {
  if (value === null) return "cleared";
  if (value instanceof Sent) return "number";
  if (typeof value === "boolean") return "boolean";
  if (Array.isArray(value)) return "list";
  if (typeof value === "object") return "object";
  return DATE.test(value) ? "date" : "text";
}

function shown(value) {
  if (value === null) return "";
  if (value instanceof Sent) return value.text;
  if (typeof value === "boolean") return value ? "true" : "false";
  if (Array.isArray(value)) return value.map(shown).join(", ");
  if (typeof value === "object") return Object.entries(value).map(([key, of]) => `${key}: ${shown(of)}`).join(", ");
  return value;
}

function traits(of, caption) {
  const entries = Object.entries(of);
  if (!entries.length) return null;
  const heads = ["trait", "type", "value"].map((head) => make("th", { scope: "col" }, head));
  const rows = entries.map(([trait, value]) => make("tr", {},
    make("th", { scope: "row" }, ...breakable(trait)),
    make("td", {}, make("span", { class: "type" }, typeOf(value))),
    make("td", {}, shown(value))));
  return make("table", { "aria-label": caption },
    make("thead", {}, make("tr", {}, ...heads)), make("tbody", {}, ...rows));
}

function paging(view, query, offset, more) {
  const go = (to) => () => { location.hash = `#/${view}?${new URLSearchParams({ ...query, offset: to })}`; };
  return make("p", { class: "search" },
    make("button", { type: "button", disabled: offset === 0, onclick: go(Math.max(0, offset - PAGE)) }, "Back"),
    make("button", { type: "button", disabled: !more, onclick: go(offset + PAGE) }, "Next"));
}

// ---------------------------------------------------------------- the views

async function usersView(query) {
  const offset = Number(query.offset ?? 0);
  const search = query.search ?? "";
  const found = parse(await ask("users", { limit: PAGE + 1, offset, search }));
  const rows = found.slice(0, PAGE).map((user) => make("tr", {},
    make("td", {}, toUser(name(user))),
    make("td", { class: "whole" }, phone(user)),
    make("td", { class: "number" }, String(Object.keys(user.traits).length)),
    make("td", {}, ...user.tags.map(tagOf)),
    make("td", { class: "number whole" }, moment(user.last_seen))));
  const heads = ["user", "phone", "traits", "tags", "last call (UTC)"].map((head) => make("th", { scope: "col" }, head));
  const field = make("input", { id: "search", type: "search", value: search, autocomplete: "off" });
  field.oninput = () => {
    history.replaceState(null, "", `#/users?${new URLSearchParams({ search: field.value })}`);
    show();
  };
  const nothing = search ? "No user matches." : "No users yet.";
  return [
    make("p", { class: "search" }, make("label", { for: "search" }, "Search users, phones and traits"), field),
    rows.length
      ? make("div", { class: "scroll", role: "region", "aria-label": "Users", tabindex: "0" },
        make("table", {}, make("thead", {}, make("tr", {}, ...heads)), make("tbody", {}, ...rows)))
      : make("p", {}, nothing),
    paging("users", search ? { search } : {}, offset, found.length > PAGE),
  ];
}

function eventItem(event, withUser) {
  return make("li", {},
    make("b", {}, event.event), " ",
    make("span", { class: "quiet number" }, event.created_at ?? `${moment(event.received_at)} (arrival)`),
    ...(withUser ? [" · ", toUser(name(event))] : []),
    traits(event.traits, `Traits of ${event.event}`));
}

async function userView(identity, query) {
  const offset = Number(query.offset ?? 0);
  const [user] = parse(await ask("users", { identity }));
  const events = parse(await ask("events", { identity, limit: PAGE + 1, offset }));
  const facts = user && [
    ["user id", user.user_id ?? "none"], ["phone", phone(user) || "none"], ["created", user.created_at ?? "not said"],
    ["first call (UTC)", moment(user.first_seen)], ["last call (UTC)", moment(user.last_seen)], ["user calls", user.calls.text],
  ];
  return [
    make("h2", {}, identity),
    user
      ? make("table", { "aria-label": "User" }, make("tbody", {}, ...facts.map(([fact, value]) =>
        make("tr", {}, make("th", { scope: "row" }, fact), make("td", { class: "number" }, value)))))
      : make("p", {}, "No user call has brought this user; only events name them."),
    user?.tags.length ? make("p", {}, "Tags: ", ...user.tags.map(tagOf)) : null,
    make("h3", {}, "Traits"),
    (user && traits(user.traits, "Traits")) || make("p", {}, "None."),
    make("h3", {}, "Events, the latest to arrive first"),
    events.length
      ? make("ol", { class: "timeline" }, ...events.slice(0, PAGE).map((event) => eventItem(event, false)))
      : make("p", {}, "None."),
    offset || events.length > PAGE ? paging(`user/${encodeURIComponent(identity)}`, {}, offset, events.length > PAGE) : null,
  ].filter((part) => part !== null);
}

async function eventsView(query) {
  const offset = Number(query.offset ?? 0);
  const events = parse(await ask("events", { limit: PAGE + 1, offset, latest: "first" }));
  return [
    make("h2", {}, "Events, the latest to arrive first"),
    events.length
      ? make("ol", { class: "timeline" }, ...events.slice(0, PAGE).map((event) => eventItem(event, true)))
      : make("p", {}, "No events yet."),
    paging("events", {}, offset, events.length > PAGE),
  ];
}

// ---------------------------------------------------------------- which is shown, and since when

let turn = 0;
let lastStats = "";

async function show() {
  const mine = ++turn;
  const [path, queryText = ""] = (location.hash.slice(1) || "/users").split("?");
  const query = Object.fromEntries(new URLSearchParams(queryText));
  const [, view, identity = ""] = path.split("/");
  let parts;
  try {
    if (view === "user") parts = await userView(decodeURIComponent(identity), query);
    else if (view === "events") parts = await eventsView(query);
    else parts = await usersView(query);
  } catch (error) {
    parts = [make("p", {}, `The sandbox does not answer (${error.message}).`)];
  }
  if (mine !== turn) return;  // a later view was asked for meanwhile
  const field = document.activeElement?.id === "search" ? document.activeElement : null;
  const caret = field?.selectionStart;
  document.getElementById("view").replaceChildren(...parts);
  if (field) {
    const anew = document.getElementById("search");
    anew?.focus();
    anew?.setSelectionRange(caret, caret);
  }
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === `#/${view === "events" ? "events" : "users"}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

async function refresh() {
  if (!document.hidden) {
    try {
      const text = await ask("stats");
      const stats = parse(text);
      const facts = [["users", stats.users], ["events", stats.events], ["calls", stats.calls], ["accepted", stats.accepted],
        ["over the limit", stats.refused_by_limit]];
      document.getElementById("counts").replaceChildren(...facts.map(([fact, value]) =>
        make("div", {}, make("dt", {}, fact), make("dd", {}, count(value.text)))));
      if (text !== lastStats && lastStats) await show();
      lastStats = text;
    } catch {
      lastStats = "gone";  // the sandbox has ended, or is about to come back: what is shown stays
    }
  }
  setTimeout(refresh, REFRESH_MS);
}

addEventListener("hashchange", show);
show();
refresh();
