// The day plan: a click on a free place fills in the form for a new show; shows are moved by dragging or by the keyboard.
// Both forms are sent to the server, which checks the rules and shows the plan again.

const find = (id) => document.getElementById(id);
const plan = document.querySelector(".plan");
const columns = [...document.querySelectorAll(".plan-screen ol")];
const addForm = find("plan-add");
const moveForm = find("plan-move");
const says = find("plan-says");

const STEP_MINUTES = 5;
const DRAG_PIXELS = 5;

let moving = null; // the show that is being moved: its item, where it was, and where it is
let drag = null; // the pointer that was pressed on a show
let dragged = false; // whether the next click ends a drag

// --- Time and place ---------------------------------------------------------------------------

const begin = new Date(Number(plan?.dataset.begin) * 1000);
const moment = (minutes) => new Date(begin.getTime() + minutes * 60_000);
const iso = (minutes) => moment(minutes).toISOString().replace(/\.\d+Z$/, "Z");
const zone = { timeZone: plan?.dataset.zone };
const clock = new Intl.DateTimeFormat("en-GB", { ...zone, hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const parts = new Intl.DateTimeFormat("en-GB", { ...zone, year: "numeric", month: "2-digit", day: "2-digit" });

function localDay(minutes) {
  const { year, month, day } = Object.fromEntries(parts.formatToParts(moment(minutes)).map((part) => [part.type, part.value]));
  return `${year}-${month}-${day}`;
}

const snapped = (minutes) => Math.round(minutes / STEP_MINUTES) * STEP_MINUTES;

function minutesAt(column, clientY) {
  const box = column.getBoundingClientRect();
  const hours = Number(column.style.getPropertyValue("--hours"));
  return ((clientY - box.top) / box.height) * hours * 60;
}

function columnAt(clientX) {
  return columns.find((column) => {
    const box = column.getBoundingClientRect();
    return clientX >= box.left && clientX < box.right;
  });
}

// --- Moving -----------------------------------------------------------------------------------

function start(item) {
  stop();
  const column = item.parentElement;
  const minutes = Number(item.dataset.starts);
  moving = { item, column, minutes, from: { column, minutes, before: item.nextSibling, style: item.getAttribute("style") } };
  item.classList.add("is-moving");
  plan.classList.add("is-moving");
  tell();
}

function place(column, minutes) {
  const { item } = moving;
  const last = Number(column.style.getPropertyValue("--hours")) * 60 - STEP_MINUTES;
  moving.minutes = Math.min(Math.max(snapped(minutes), 0), last);
  if (column !== moving.column) {
    const focused = document.activeElement;
    column.append(item);
    moving.column = column;
    if (item.contains(focused)) focused.focus();
  }
  item.style.setProperty("--at", moving.minutes / 60);
  item.style.setProperty("--lasts", item.dataset.lasts / 60);
  item.style.setProperty("--lane", 0);
  item.style.setProperty("--lanes", 1);
  tell();
}

function tell() {
  const { item, column, minutes } = moving;
  const end = minutes + Number(item.dataset.lasts);
  const times = `${clock.format(moment(minutes))}\u2013${clock.format(moment(end))}`;
  says.textContent = `${item.dataset.name}: ${times} on ${column.dataset.name}. Enter moves it there, Escape puts it back.`;
}

function stop() {
  if (!moving) return;
  const { item, from } = moving;
  const focused = document.activeElement;
  from.column.insertBefore(item, from.before);
  item.setAttribute("style", from.style);
  if (item.contains(focused)) focused.focus();
  item.classList.remove("is-moving");
  plan.classList.remove("is-moving");
  says.textContent = "";
  moving = null;
}

function send() {
  const { item, column, minutes, from } = moving;
  if (column === from.column && minutes === from.minutes) return stop();
  moveForm.elements.show.value = item.dataset.show;
  moveForm.elements.screen.value = column.dataset.screen;
  moveForm.elements.starts_at.value = iso(minutes);
  moving = null;
  moveForm.submit();
}

// --- The keyboard -----------------------------------------------------------------------------

function sideways(step) {
  const next = columns[columns.indexOf(moving.column) + step];
  if (next) place(next, moving.minutes);
}

const KEYS = {
  ArrowUp: (far) => place(moving.column, moving.minutes - (far ? 60 : STEP_MINUTES)),
  ArrowDown: (far) => place(moving.column, moving.minutes + (far ? 60 : STEP_MINUTES)),
  ArrowLeft: () => sideways(-1),
  ArrowRight: () => sideways(1),
  Enter: () => send(),
  Escape: () => stop(),
};

document.addEventListener("keydown", (event) => {
  if (!moving || event.altKey || event.ctrlKey || event.metaKey || !KEYS[event.key]) return;
  event.preventDefault();
  KEYS[event.key](event.shiftKey);
});

// --- The pointer ------------------------------------------------------------------------------

function press(event) {
  const item = event.target.closest("li[data-show]");
  const handle = event.target.closest(".plan-move");
  // A finger on a show scrolls the plan; its button can be dragged.
  if (!item || event.button || (event.pointerType !== "mouse" && !handle)) return;
  drag = { item, x: event.clientX, y: event.clientY };
  dragged = false;
}

function follow(event) {
  if (!drag) return;
  if (!dragged) {
    if (Math.hypot(event.clientX - drag.x, event.clientY - drag.y) < DRAG_PIXELS) return;
    dragged = true;
    start(drag.item);
    drag.grip = minutesAt(moving.column, drag.y) - moving.minutes;
  }
  place(columnAt(event.clientX) ?? moving.column, minutesAt(moving.column, event.clientY) - drag.grip);
}

function release() {
  if (!drag) return;
  drag = null;
  if (dragged && moving) send();
}

function cancel() {
  drag = null;
  stop();
}

function click(event) {
  if (dragged) {
    // The click that ends a drag opens nothing.
    dragged = false;
    event.preventDefault();
    event.stopPropagation();
    return;
  }
  const button = event.target.closest(".plan-move");
  if (button) return start(button.closest("li"));
  const column = event.target.closest(".plan-screen ol");
  if (!column || event.target.closest("li")) return;
  if (moving) {
    place(column, minutesAt(column, event.clientY));
    send();
  } else if (addForm) choose(column.dataset.screen, snapped(minutesAt(column, event.clientY)));
}

// --- A new show -------------------------------------------------------------------------------

// The first choice of prices names the price list of the chosen screen.
function namePrices() {
  const column = columns.find((one) => one.dataset.screen === addForm.elements.screen.value);
  addForm.elements.price_list.options[0].text = `The screen's: ${column.dataset.prices}`;
}

function choose(screen, minutes) {
  addForm.elements.screen.value = screen;
  namePrices();
  if (minutes !== null) {
    addForm.elements.starts_at_0.value = localDay(minutes);
    addForm.elements.starts_at_1.value = clock.format(moment(minutes));
  }
  addForm.scrollIntoView({ block: "nearest" });
  // Select2 shows the movies once it is opened.
  django.jQuery(addForm.elements.movie).select2("open");
}

// --- Start ------------------------------------------------------------------------------------

if (plan) {
  if (moveForm) {
    plan.addEventListener("pointerdown", press);
    document.addEventListener("pointermove", follow);
    document.addEventListener("pointerup", release);
    document.addEventListener("pointercancel", cancel);
  }
  plan.addEventListener("click", click, true);
  if (addForm) {
    plan.classList.add("can-add");
    addForm.elements.screen.addEventListener("change", namePrices);
    namePrices();
    for (const link of document.querySelectorAll(".plan-screen .addlink")) {
      link.addEventListener("click", (event) => {
        event.preventDefault();
        choose(link.dataset.screen, null);
      });
    }
  }
  if (/^#show-\d+$/.test(location.hash)) document.querySelector(location.hash)?.focus();
}
