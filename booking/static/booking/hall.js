// The hall on a show's page: draws the seats, lets staff choose some, and sends actions to the server.
// Each response contains the current hall, so the page is up to date after every action, even a refused one.

const find = (id) => document.getElementById(id);
const section = find("hall");
const grid = find("hall-grid");
const sellForm = find("hall-sell");
const blockForm = find("hall-block");
const customer = find("hall-customer");
const names = find("hall-names");

let hall = null; // the last hall from the server
let cells = []; // the buttons, by seat number
let current = 1; // the seat with the keyboard focus
let chosen = new Set(); // several free seats or one taken seat
let moving = null; // the seat whose booking is being moved
let asking = false;

// --- Properties of seats ---

const row = (seat) => Math.floor((seat - 1) / hall.seats_per_row);
const place = (seat) => ((seat - 1) % hall.seats_per_row) + 1;
const label = (seat) => `${hall.rows[row(seat)]}${place(seat)}`;
const isFree = (seat) => !hall.taken[seat];
const title = (seat) => `${label(seat)}, ${isFree(seat) ? "free" : hall.taken[seat].title}`;
const can = (name) => hall.may[name] && !hall.closed;
const inOrder = () => [...chosen].sort((a, b) => a - b);
const same = (one, other) => one?.state === other?.state && one?.booking === other?.booking;

// --- Drawing ---

function build() {
  cells = [null];
  const rows = hall.rows.map((letters, index) => {
    const line = document.createElement("div");
    line.className = "hall-row";
    line.setAttribute("role", "row");
    const header = document.createElement("span");
    header.className = "hall-letters";
    header.setAttribute("role", "rowheader");
    header.textContent = letters;
    line.append(header);
    const first = index * hall.seats_per_row + 1;
    const end = Math.min(first + hall.seats_per_row, hall.total_seats + 1);
    for (let seat = first; seat < end; seat++) line.append(newCell(seat));
    return line;
  });
  grid.replaceChildren(...rows);
  current = Math.min(current, hall.total_seats);
  cells[current].tabIndex = 0;
}

function newCell(seat) {
  const cell = document.createElement("button");
  cell.type = "button";
  cell.tabIndex = -1;
  cell.dataset.seat = seat;
  cell.setAttribute("role", "gridcell");
  cell.setAttribute("aria-selected", "false");
  cell.textContent = place(seat);
  cells[seat] = cell;
  return cell;
}

function draw() {
  for (let seat = 1; seat <= hall.total_seats; seat++) {
    const cell = cells[seat];
    const text = title(seat);
    if (cell.title !== text) {
      cell.title = text;
      cell.setAttribute("aria-label", text);
      cell.className = `hall-seat is-${isFree(seat) ? "free" : hall.taken[seat].state}`;
    }
  }
  for (const count of section.querySelectorAll("[data-count]")) {
    count.textContent = hall.counts[count.dataset.count];
  }
  drawChoice();
}

function drawChoice() {
  for (const cell of grid.querySelectorAll("[aria-selected='true']")) cell.setAttribute("aria-selected", "false");
  for (const seat of chosen) cells[seat].setAttribute("aria-selected", "true");
  const [seat] = chosen;
  const taken = chosen.size ? hall.taken[seat] : undefined;
  const free = chosen.size > 0 && !taken;
  find("hall-panel").hidden = false;
  find("hall-chosen").textContent = sentence(taken);
  sellForm.hidden = !(free && can("sell"));
  blockForm.hidden = !(free && can("block"));
  find("hall-taken").hidden = !taken || moving !== null;
  find("hall-clear").hidden = !chosen.size;
  if (taken) drawBooking(taken);
}

function sentence(taken) {
  if (moving !== null) return `Moving ${title(moving)}. Choose the free seat to move to.`;
  if (taken) return `${title(inOrder()[0])}.`;
  if (chosen.size) return `Chosen: ${inOrder().map(label).join(", ")}.`;
  return hall.closed || "No seat is chosen.";
}

function drawBooking(taken) {
  const isBooking = taken.booking !== undefined;
  const link = find("hall-booking");
  link.hidden = !isBooking;
  link.textContent = `Booking ${taken.reference}`;
  link.href = taken.url || "";
  find("hall-move").hidden = !(taken.state === "sold" && can("move"));
  find("hall-cancel").hidden = !(isBooking && can("cancel"));
  find("hall-cancel").textContent = taken.state === "held" ? "End the hold" : "Cancel the booking";
  find("hall-unblock").hidden = !(taken.state === "blocked" && can("unblock"));
}

function say(text, kind = "") {
  const says = find("hall-says");
  says.textContent = text;
  says.className = kind;
}

// --- Choosing ---

function clear() {
  chosen = new Set();
  moving = null;
  drawChoice();
}

function goTo(seat) {
  cells[current].tabIndex = -1;
  current = seat;
  cells[seat].tabIndex = 0;
  cells[seat].focus();
}

function choose(seat, onwards) {
  say("");
  if (moving !== null) {
    if (isFree(seat)) act("move", { booking: hall.taken[moving].booking, seats: seat });
    else say(`${title(seat)}. Choose a free seat to move to.`, "is-refused");
    return;
  }
  const before = inOrder();
  const others = before.some((one) => !isFree(one));
  if (!isFree(seat)) chosen = new Set(chosen.has(seat) ? [] : [seat]);
  else if (others) chosen = new Set([seat]);
  else if (onwards && chosen.size) chooseUpTo([...chosen].at(-1), seat);
  else if (!chosen.delete(seat)) chosen.add(seat);
  drawChoice();
}

function chooseUpTo(from, seat) {
  const step = from < seat ? 1 : -1;
  for (let one = from; one !== seat + step; one += step) {
    if (isFree(one)) chosen.add(one);
  }
}

function target(event) {
  const width = hall.seats_per_row;
  const start = row(current) * width + 1;
  const end = Math.min(start + width - 1, hall.total_seats);
  const far = event.ctrlKey || event.metaKey;
  return {
    ArrowLeft: Math.max(current - 1, start),
    ArrowRight: Math.min(current + 1, end),
    ArrowUp: current - width,
    ArrowDown: current + width,
    Home: far ? 1 : start,
    End: far ? hall.total_seats : end,
    PageUp: place(current) + Math.max(row(current) - 10, 0) * width,
    PageDown: current + Math.min(10, Math.floor((hall.total_seats - current) / width)) * width,
  }[event.key];
}

grid.addEventListener("click", (event) => {
  const cell = event.target.closest("[data-seat]");
  if (!cell || asking) return;
  goTo(Number(cell.dataset.seat));
  choose(current, event.shiftKey);
});

grid.addEventListener("keydown", (event) => {
  const seat = target(event);
  if (seat === undefined) return;
  event.preventDefault();
  if (cells[seat]) goTo(seat);
});

section.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !hall) return;
  if (!names.hidden) closeNames();
  else if (chosen.size) {
    clear();
    goTo(current);
  }
});

// --- Requests ---

async function ask(url, options) {
  const response = await fetch(url, { ...options, headers: { "X-CSRFToken": token(), Accept: "application/json" } });
  if (!response.headers.get("Content-Type")?.includes("json")) {
    throw new Error("You are signed out, or the service has stopped. Reload the page.");
  }
  return { ok: response.ok, ...(await response.json()) };
}

const token = () => section.querySelector("[name=csrfmiddlewaretoken]").value;

async function load() {
  try {
    const response = await ask(section.dataset.hall);
    if (response.ok) show(response);
    else say(response.detail, "is-refused");
  } catch (error) {
    sayFailure(error);
  }
}

function sayFailure(error) {
  // fetch() raises TypeError if the connection fails; its message differs between browsers.
  say(error instanceof TypeError ? "The service can't be reached. Try again." : error.message, "is-refused");
}

function show(news) {
  const old = hall;
  hall = news;
  if (!old || old.total_seats !== hall.total_seats || old.seats_per_row !== hall.seats_per_row) build();
  // Seats that somebody else has changed are not chosen any more.
  chosen = new Set(inOrder().filter((seat) => seat <= hall.total_seats && same(old.taken[seat], hall.taken[seat])));
  if (!chosen.has(moving)) moving = null;
  find("hall-drawn").hidden = false;
  draw();
}

async function act(name, data) {
  if (asking) return;
  asking = true;
  section.setAttribute("aria-busy", "true");
  try {
    const body = new URLSearchParams(data);
    const response = await ask(`${section.dataset.hall}${name}/`, { method: "POST", body });
    if (response.ok) {
      chosen = new Set();
      moving = null;
      sellForm.reset();
      blockForm.reset();
    }
    if (response.hall) show(response.hall);
    say(response.detail, response.ok ? "is-done" : "is-refused");
    if (response.ok || !document.activeElement?.offsetParent) goTo(current);
  } catch (error) {
    sayFailure(error);
  } finally {
    asking = false;
    section.removeAttribute("aria-busy");
  }
}

sellForm.addEventListener("submit", (event) => {
  event.preventDefault();
  closeNames();
  act("sell", { seats: inOrder().join(), customer: customer.value });
});

blockForm.addEventListener("submit", (event) => {
  event.preventDefault();
  act("block", { seats: inOrder().join(), reason: find("hall-reason").value });
});

find("hall-cancel").addEventListener("click", () => {
  const [seat] = chosen;
  if (confirm(`Cancel ${title(seat)}?`)) act("cancel", { booking: hall.taken[seat].booking });
});

find("hall-move").addEventListener("click", () => {
  [moving] = chosen;
  drawChoice();
  goTo(current);
});

find("hall-unblock").addEventListener("click", () => act("unblock", { seats: inOrder().join() }));
find("hall-clear").addEventListener("click", () => {
  clear();
  goTo(current);
});
find("hall-refresh").addEventListener("click", () => {
  say("");
  load();
});

// --- Autocomplete of customers ---

let asked = 0;

customer.addEventListener("input", async () => {
  const turn = ++asked;
  const typed = customer.value.trim();
  if (!typed) return closeNames();
  try {
    const response = await ask(`${section.dataset.customers}?${new URLSearchParams({ q: typed })}`);
    // Ignore the response to an earlier input.
    if (turn === asked) openNames(response.names ?? []);
  } catch (error) {
    sayFailure(error);
  }
});

function openNames(found) {
  names.replaceChildren(
    ...found.map((name, index) => {
      const option = document.createElement("li");
      option.id = `hall-name-${index}`;
      option.setAttribute("role", "option");
      option.setAttribute("aria-selected", "false");
      option.textContent = name;
      return option;
    }),
  );
  names.hidden = !found.length;
  customer.setAttribute("aria-expanded", String(!names.hidden));
  customer.removeAttribute("aria-activedescendant");
}

function closeNames() {
  asked++;
  openNames([]);
}

function pick(option) {
  customer.value = option.textContent;
  closeNames();
}

customer.addEventListener("keydown", (event) => {
  const options = [...names.children];
  const active = options.findIndex((option) => option.getAttribute("aria-selected") === "true");
  if (event.key === "Enter" && active >= 0) {
    event.preventDefault();
    pick(options[active]);
  }
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step || !options.length) return;
  event.preventDefault();
  const next = options[active < 0 && step < 0 ? options.length - 1 : (active + step + options.length) % options.length];
  options[active]?.setAttribute("aria-selected", "false");
  next.setAttribute("aria-selected", "true");
  customer.setAttribute("aria-activedescendant", next.id);
});

// mousedown comes before the field's blur, which closes the list.
names.addEventListener("mousedown", (event) => {
  event.preventDefault();
  const option = event.target.closest("[role=option]");
  if (option) pick(option);
});

customer.addEventListener("blur", closeNames);

if (section) load();
