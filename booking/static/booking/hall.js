// The hall on a show's page: lets staff choose seats and sends actions to the server.
// Each response contains the current hall, so the page is up to date after every action, even a refused one.
// Actions on taken seats send what the page showed of them, and the server refuses those that have changed.

import { completeCustomers } from "./customers.js";
import { CancelQuestion } from "./hall-cancel.js";
import { Grid, rowsOf } from "./hall-grid.js";
import { Payment } from "./hall-payment.js";
import { Tickets } from "./hall-tickets.js";
import { ask } from "./request.js";

const REFRESH_MS = 4000;

const LIMIT_MS = 250;

const find = (id) => document.getElementById(id);
const section = find("hall");
const sellForm = find("hall-sell-form");
const blockForm = find("hall-block");
const grid = new Grid(find("hall-grid"), (seat, event) => {
  if (acting) return;
  grid.focus(seat);
  choose(seat, event.shiftKey);
});

const tickets = new Tickets(grid, find("hall-tickets"), find("hall-types"), (refused) => {
  say(refused, refused && "is-refused");
  drawChoice();
});

const cancelQuestion = new CancelQuestion(find("hall-question"));

const payment = new Payment(find("hall-pay"), find("hall-till"), (paid) => sell("sell-paid", paid));

let hall = null; // the last hall from the server
let plan = null; // the seat plan of the hall that is drawn
let etag = null;
let chosen = new Map(); // seat numbers of one kind, each with what the page showed of a taken seat when it was chosen
let targets = null; // while the chosen bookings are being moved, the free seats that were chosen for them
let acting = false;
let actions = 0;
let isFailing = false;
let sent = null; // the last sale that was sent, as text, and its key, until a seat is chosen or left
let asked = ""; // the customer and the seats of the last question about the seat limit

// --- Properties of seats ---

const isFree = (seat) => !hall.taken[seat];
const kind = (taken) => (!taken ? "free" : taken.state === "blocked" ? "blocked" : "booking");
const title = (seat, taken = hall.taken[seat]) =>
  [grid.label(seat), grid.category(seat), taken ? taken.title : "free"].filter(Boolean).join(", ");
const can = (name) => hall.may[name] && !hall.closed;
const inOrder = () => [...chosen.keys()].sort((a, b) => a - b);
const same = (one, other) => one?.state === other?.state && one?.booking === other?.booking;
const changed = () => inOrder().filter((seat) => !same(chosen.get(seat), hall.taken[seat]));
const seen = (seats) => seats.map((seat) => `${chosen.get(seat).booking}:${seat}:${chosen.get(seat).state}`).join();
const seatOf = (booking) => Number(Object.keys(hall.taken).find((seat) => hall.taken[seat].booking === booking));

// --- Drawing ---

function draw() {
  grid.draw((seat) => ({ state: hall.taken[seat]?.state ?? "free", title: title(seat) }));
  for (const count of section.querySelectorAll("[data-count]")) write(count, hall.counts[count.dataset.count]);
  find("hall-help").hidden = Boolean(hall.closed);
  find("hall-help-types").hidden = hall.ticket_types.length < 2;
  section.classList.toggle("is-closed", Boolean(hall.closed));
  drawChoice();
}

// Writes only what changes, because screen readers read live texts aloud.
function write(element, text) {
  if (element.textContent !== String(text)) element.textContent = text;
}

function drawChoice() {
  const seats = inOrder();
  const first = chosen.get(seats[0]);
  const isOfKind = (name) => seats.length > 0 && kind(first) === name && !targets;
  const sells = isOfKind("free") && can("sell");
  grid.select([...seats, ...(targets ?? [])]);
  find("hall-panel").hidden = false;
  find("hall-bar").classList.toggle("has-choice", seats.length > 0);
  write(find("hall-chosen"), sentence(seats));
  sellForm.hidden = find("hall-sell-button").hidden = !sells;
  tickets.draw(sells ? seats : []);
  const total = tickets.areSold ? tickets.total : "";
  write(find("hall-total"), total && `${total} ${hall.currency}`);
  payment.offer(total, hall.currency, can("sell-paid"), hall.has_till);
  write(find("hall-sell-button"), payment.isOffered ? "Sell unpaid" : "Sell");
  find("hall-sell-button").classList.toggle("default", !payment.isOffered);
  askLimit();
  blockForm.hidden = !(isOfKind("free") && can("block"));
  find("hall-taken").hidden = !isOfKind("booking") && !isOfKind("blocked");
  find("hall-clear").hidden = !seats.length;
  find("hall-unblock").hidden = !(isOfKind("blocked") && can("unblock"));
  drawBookings(isOfKind("booking") ? seats : []);
}

function sentence(seats) {
  if (targets && seats.length === 1) {
    return `Moving ${title(seats[0], chosen.get(seats[0]))}. Choose the free seat to move to.`;
  }
  if (targets) {
    const [from, to] = [seats, targets].map((each) => each.map((seat) => grid.label(seat)).join(", "));
    const left = seats.length - targets.length;
    return `Moving ${from}${to && ` to ${to}`}. Choose ${left} ${to && "more "}free ${left === 1 ? "seat" : "seats"}.`;
  }
  if (seats.length === 1 && chosen.get(seats[0])) return `${title(seats[0], chosen.get(seats[0]))}.`;
  if (seats.length) return `Chosen: ${seats.map((seat) => grid.label(seat)).join(", ")}.`;
  return hall.closed || "No seat is chosen.";
}

// Asks the server, which knows the seat limit, whether the chosen customer's seats would exceed it.
function askLimit() {
  const customer = sellForm.hidden ? "" : find("hall-customer").value.trim();
  const question = customer && new URLSearchParams({ customer, seats: inOrder().join() }).toString();
  if (question === asked) return;
  asked = question;
  write(find("hall-notice"), "");
  if (question) setTimeout(() => drawLimit(question), LIMIT_MS);
}

async function drawLimit(question) {
  if (question !== asked) return;
  try {
    const { notice } = await ask(`${sellForm.dataset.limit}?${question}`);
    if (question === asked) write(find("hall-notice"), notice ?? "");
  } catch {
    // The sale reports it.
  }
}

function drawBookings(seats) {
  const bookings = seats.map((seat) => chosen.get(seat));
  const [only] = bookings.length === 1 ? bookings : [];
  const link = find("hall-booking");
  link.hidden = !only?.reference;
  link.textContent = `Booking ${only?.reference}`;
  link.href = only?.url ?? "";
  const due = hall.due?.[only?.reference];
  find("hall-due").hidden = !due;
  find("hall-due").href = due?.url ?? "";
  write(find("hall-due"), due ? `Take the payment of ${due.amount} ${hall.currency}` : "");
  const others = find("hall-others");
  others.hidden = !only?.reference || seatsOf(only.reference).length < 2;
  others.textContent = `Choose all ${only ? seatsOf(only.reference).length : ""} seats of ${only?.reference}`;
  const areSold = bookings.length > 0 && bookings.every((taken) => taken.state === "sold");
  find("hall-move").hidden = !(areSold && can("move"));
  write(find("hall-move"), only ? "Move to another seat" : `Move ${bookings.length} seats`);
  find("hall-cancel").hidden = !(bookings.length && can("cancel"));
  const isHeld = bookings.every((taken) => taken.state === "held");
  const [one, several] = isHeld ? ["End the hold", "End $ holds"] : ["Cancel the booking", "Cancel $ bookings"];
  write(find("hall-cancel"), only ? one : several.replace("$", bookings.length));
}

const seatsOf = (reference) => grid.numbers().filter((seat) => hall.taken[seat]?.reference === reference);

function say(text, style = "") {
  const line = find("hall-message");
  find("hall-result").hidden = true;
  write(line, text);
  line.className = style;
}

// --- Choosing ---

function clear() {
  chosen = new Map();
  targets = null;
  drawChoice();
}

function choose(seat, onwards) {
  say("");
  sent = null;
  if (targets) {
    if (isFree(seat)) chooseTarget(seat);
    else say(`${title(seat)}. Choose a free seat to move to.`, "is-refused");
    return;
  }
  const [last] = [...chosen.keys()].slice(-1);
  if (chosen.has(seat) && !onwards) {
    chosen.delete(seat);
  } else if (hall.closed && isFree(seat)) {
    say(hall.closed);
  } else {
    const wanted = kind(hall.taken[seat]);
    const goesOn = last !== undefined && kind(chosen.get(last)) === wanted;
    if (!goesOn) chosen = new Map();
    for (const one of goesOn && onwards ? between(last, seat) : [seat]) {
      if (kind(hall.taken[one]) === wanted) chosen.set(one, hall.taken[one]);
    }
  }
  drawChoice();
}

function chooseTarget(seat) {
  targets = targets.includes(seat) ? targets.filter((one) => one !== seat) : [...targets, seat].sort((a, b) => a - b);
  drawChoice();
  if (targets.length === chosen.size) move();
}

// Moves the chosen bookings. The server asks first if the new seats cost more or less.
async function move() {
  const data = { seen: seen(inOrder()), seats: targets.join() };
  const response = await act("move", data);
  if (response?.question && confirm(response.question)) {
    await act("move", { ...data, expected_total: response.expected_total });
  }
  if (targets) {
    targets = [];
    drawChoice();
  }
}

function between(one, other) {
  const [first, end] = [Math.min(one, other), Math.max(one, other)];
  return grid.numbers().filter((seat) => first <= seat && seat <= end);
}

section.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !hall || !chosen.size) return;
  clear();
  grid.focus();
});

// --- Requests ---

async function load() {
  const before = actions;
  try {
    const response = await ask(section.dataset.hall, { headers: etag ? { "If-None-Match": etag } : {} });
    // An action that began meanwhile has brought a newer hall, or will.
    if (before !== actions) return;
    if (response?.ok) {
      await fetchPlan(response);
      if (before !== actions) return;
      etag = response.etag;
      show(response);
    } else if (response) {
      throw new Error(response.detail);
    }
    if (isFailing) say("");
    isFailing = false;
    sayChanges();
  } catch (error) {
    isFailing = true;
    say(error.message, "is-refused");
  }
}

// A seat plan never changes, so each one is fetched and built once.
async function fetchPlan(news) {
  if (plan === news.plan) return;
  const described = await ask(news.plan);
  if (!described.ok) throw new Error(described.detail);
  grid.build(rowsOf(described));
  drawLegend(described.categories);
  plan = news.plan;
}

function drawLegend(categories) {
  const entries = categories.map(({ name, colour }) => {
    const [entry, sample] = [document.createElement("li"), document.createElement("span")];
    sample.className = "hall-category";
    sample.style.setProperty("--seat-colour", colour);
    entry.append(sample, name);
    return entry;
  });
  find("hall-categories").replaceChildren(...(categories.length > 1 ? entries : []));
}

// Shows the hall. Chosen seats stay chosen, also those that have changed, for which the server refuses actions.
function show(news, { dropChanged = false } = {}) {
  hall = news;
  tickets.offer(hall.ticket_types, hall.prices);
  const dropped = dropChanged ? changed() : [];
  for (const seat of inOrder()) {
    if (dropped.includes(seat) || !grid.has(seat)) chosen.delete(seat);
  }
  if (dropped.length || !chosen.size) targets = null;
  if (targets) targets = targets.filter(isFree);
  find("hall-drawn").hidden = false;
  draw();
}

function sayChanges() {
  const seats = changed();
  if (seats.length) say(`Changed meanwhile: ${seats.map((seat) => title(seat)).join("; ")}.`, "is-refused");
}

function post(name, data) {
  const csrf = section.querySelector("[name=csrfmiddlewaretoken]").value;
  const body = new URLSearchParams(data);
  return ask(`${section.dataset.hall}${name}/`, { method: "POST", body, headers: { "X-CSRFToken": csrf } });
}

async function act(name, data) {
  if (acting) return;
  acting = true;
  actions++;
  section.setAttribute("aria-busy", "true");
  try {
    const response = await post(name, data);
    if (response.ok) {
      chosen = new Map();
      targets = null;
      sellForm.reset();
      blockForm.reset();
    }
    if (response.hall) {
      etag = null;
      await fetchPlan(response.hall);
      show(response.hall, { dropChanged: true });
    }
    say(response.detail, response.ok ? "is-done" : "is-refused");
    if (response.ok || !document.activeElement?.offsetParent) grid.focus();
    return response;
  } catch (error) {
    say(error.message, "is-refused");
  } finally {
    acting = false;
    section.removeAttribute("aria-busy");
  }
}

sellForm.addEventListener("submit", (event) => {
  event.preventDefault();
  sell("sell");
});

async function sell(name, paid = {}) {
  if (acting) return;
  const customer = Object.fromEntries(new FormData(sellForm));
  const sale = { seats: inOrder().join(), ...customer, ...tickets.values(), ...paid };
  const response = await act(name, { ...sale, key: keyOf(JSON.stringify([name, sale])) });
  if (response?.ok) sayNext(response);
}

// Returns the same key for a sale that is sent again: if its response was lost, the server reports the first sale.
function keyOf(sale) {
  // Not randomUUID, which browsers have on https only.
  if (sent?.sale !== sale) sent = { sale, key: crypto.getRandomValues(new Uint32Array(4)).join("-") };
  return sent.key;
}

// Says what change the customer gets, and leads to the order.
function sayNext({ change, order }) {
  const [text, link] = find("hall-result").children;
  write(text, change ? `Change ${change}` : "");
  link.hidden = !order;
  link.href = order ?? "";
  find("hall-result").hidden = !change && !order;
}

find("hall-customer").addEventListener("change", askLimit);

// A digit chooses the ticket type of the seat with the focus, or of all chosen seats.
document.addEventListener("keydown", (event) => {
  const place = /^[1-9]$/.test(event.key) ? Number(event.key) : 0;
  const isInField = event.target.closest("input, select, textarea") && !event.target.closest("#hall-tickets");
  if (!place || !hall || acting || isInField || event.ctrlKey || event.altKey || event.metaKey) return;
  const seat = Number(event.target.closest("[data-seat]")?.dataset.seat);
  if (tickets.choose(place, chosen.has(seat) ? [seat] : undefined)) event.preventDefault();
});

blockForm.addEventListener("submit", (event) => {
  event.preventDefault();
  act("block", { seats: inOrder().join(), reason: find("hall-reason").value });
});

find("hall-cancel").addEventListener("click", async () => {
  const data = await askCancel(inOrder());
  if (data) act("cancel", data);
});

// Returns what cancels the seats, with the sentence for the customers' mail, or undefined if staff decide against it.
async function askCancel(seats) {
  if (acting) return;
  acting = true;
  actions++;
  // Other seats may be chosen before the answer comes.
  const data = { seen: seen(seats) };
  const titles = seats.map((seat) => title(seat, chosen.get(seat)));
  const button = find("hall-cancel").textContent;
  try {
    const question = await post("ask-cancel", data);
    if (question.hall) {
      etag = null;
      await fetchPlan(question.hall);
      show(question.hall, { dropChanged: !question.ok });
    }
    if (!question.ok) throw new Error(question.detail);
    const note = await cancelQuestion.ask(titles, button, question);
    return note === null ? undefined : { ...data, note };
  } catch (error) {
    say(error.message, "is-refused");
    if (!document.activeElement?.offsetParent) grid.focus();
  } finally {
    acting = false;
  }
}

find("hall-others").addEventListener("click", () => {
  const [{ reference }] = chosen.values();
  for (const seat of seatsOf(reference)) chosen.set(seat, hall.taken[seat]);
  drawChoice();
  grid.focus();
});

function startMoving() {
  targets = [];
  drawChoice();
  grid.focus();
}

find("hall-move").addEventListener("click", startMoving);
find("hall-unblock").addEventListener("click", () => act("unblock", { seen: seen(inOrder()) }));
find("hall-clear").addEventListener("click", () => {
  clear();
  grid.focus();
});
find("hall-refresh").addEventListener("click", () => {
  say("");
  etag = null;
  load();
});

find("hall-skip").addEventListener("click", (event) => {
  event.preventDefault();
  if (hall) grid.focus();
});

function refresh() {
  if (!acting && !document.hidden) load();
}

// --- Start ---

// ?booking=<id> chooses the booking's seat, and &move=yes begins to move it.
function followLink() {
  const query = new URLSearchParams(location.search);
  if (!hall || !query.has("booking")) return;
  // Once: a reload shows the hall alone.
  history.replaceState(null, "", location.pathname);
  const seat = seatOf(Number(query.get("booking")));
  if (!seat) {
    say("This booking has no seat any more.", "is-refused");
    return;
  }
  grid.focus(seat);
  choose(seat, false);
  if (query.has("move") && can("move") && hall.taken[seat].state === "sold") startMoving();
}

async function start() {
  completeCustomers(find("hall-customer"), find("hall-names"), say);
  await load();
  followLink();
  setInterval(refresh, REFRESH_MS);
  document.addEventListener("visibilitychange", refresh);
}

start();
