// The door of a show: checks scanned tickets, shows go or stop, and works without the network for a while.
// A handheld scanner types the text of a ticket and Enter; so the field for it has the focus.

import { Camera, canDetect, canUseCamera, readPhoto } from "./door-camera.js";
import { attempt, canVerify, checkOffline, Store } from "./door-offline.js";

const REFRESH_MS = 3000;
// Longer than an answer should take, and short enough for a queue.
const TIMEOUT_MS = 3000;

const find = (id) => document.getElementById(id);
const door = find("door");
const { list: listUrl, admit: admitUrl, undo: undoUrl, picture: pictureUrl } = door.dataset;
const advice = JSON.parse(door.dataset.advice);
const store = new Store(door.dataset.show);
const field = find("door-text");
const device = find("door-device");
const token = door.querySelector("[name='csrfmiddlewaretoken']").value;

let list = store.list;
let etag = null;
let isOffline = false;
// Why the list is not loaded, though the service answers.
let problem = "";
let undoing = null;
// Scans are checked one after the other, so that the answers come in the order of the scans.
let checking = Promise.resolve();

const newNonce = () => Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(36)).join("");

// --- Requests ---

class NoNetwork extends Error {}
// The service answers with an error of its own: at the door as good as no network, though the next request may succeed.
class ServerError extends NoNetwork {}
class SignedOut extends Error {}

async function ask(url, options = {}) {
  let response;
  let text;
  try {
    response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS), ...options });
    text = await response.text();
  } catch {
    throw new NoNetwork();
  }
  if (response.status >= 500) throw new ServerError();
  if (response.status === 304) return null;
  if (!response.headers.get("Content-Type")?.includes("json")) throw new SignedOut();
  return { etag: response.headers.get("ETag"), ...JSON.parse(text) };
}

function post(url, fields) {
  const body = new FormData();
  for (const [name, value] of Object.entries(fields)) body.append(name, value);
  return ask(url, { method: "POST", body, headers: { "X-CSRFToken": token } });
}

// --- Answers ---

let audio = null;

// Go is two high tones, stop a long low one.
function sound(isGo) {
  try {
    audio ??= new AudioContext();
    const tones = isGo ? [[880, 0, 0.12], [1320, 0.14, 0.16]] : [[180, 0, 0.6]];
    for (const [pitch, from, length] of tones) {
      const tone = new OscillatorNode(audio, { frequency: pitch, type: isGo ? "sine" : "square" });
      const volume = new GainNode(audio, { gain: isGo ? 0.4 : 0.2 });
      tone.connect(volume).connect(audio.destination);
      tone.start(audio.currentTime + from);
      tone.stop(audio.currentTime + from + length);
    }
  } catch {
    // A device without sound shows the answer all the same.
  }
}

function write(look, sign, word, { seat = "", detail = "", hint = "" }) {
  find("door-answer").className = look;
  const texts = { sign, name: word, seat, detail, advice: hint };
  for (const [name, text] of Object.entries(texts)) find(`door-${name}`).textContent = text;
}

function show({ ok, seat, detail, code, advice: hint = advice[code], choices }) {
  // The seat of an order is still to be chosen.
  if (choices?.length) return write("is-waiting", "", "Which seat?", { detail });
  if (ok) write("is-go", "✓", "Go", { seat, detail });
  else write("is-stop", "✕", "Stop", { seat, detail, hint });
  sound(ok);
}

function offerSeats(text, labels) {
  const choices = find("door-choices");
  choices.hidden = !labels?.length;
  choices.replaceChildren(
    ...(labels ?? []).map((label) => {
      const button = Object.assign(document.createElement("button"), { type: "button", className: "button" });
      button.textContent = label;
      button.addEventListener("click", () => {
        button.disabled = true;
        check(`${text.split(/[\s,]/)[0]} ${label}`, { keepChoices: true });
        field.focus();
      });
      return button;
    }),
  );
}

// --- Scanning ---

function check(text, { keepChoices = false } = {}) {
  const scan = { text: text.trim(), nonce: newNonce(), device: device.value };
  const pressed = performance.now();
  checking = checking.then(async () => {
    const answer = await answerTo(scan).catch(() => ({ ok: false, detail: "The answer can't be read. Try again." }));
    if (!keepChoices) offerSeats(scan.text, answer.choices);
    show(answer);
    find("door-answer").dataset.ms = Math.round(performance.now() - pressed);
    if (answer.ok) refresh();
  });
}

async function answerTo(scan) {
  if (isOffline) return answerOffline(scan);
  const before = list;
  try {
    const answer = await post(admitUrl, scan);
    if (answer.ok && list) markAdmitted(answer);
    return answer;
  } catch (error) {
    if (error instanceof SignedOut) return signedOut();
    setOffline(true);
    // If only the answer was lost, a list that was loaded meanwhile has this very scan.
    return answerOffline(scan, before ?? list);
  }
}

function signedOut() {
  return { ok: false, detail: "You are signed out, or may not admit.", advice: "Reload the page." };
}

async function answerOffline(scan, known = list) {
  const answer = await checkOffline(scan.text, known);
  if (answer.ok) {
    store.add({ ...scan, booking: answer.booking, seat: answer.seat, scanned_at: new Date().toISOString() });
    markAdmitted(answer);
    store.list = list;
    drawCounts();
  }
  return answer;
}

// --- The list, and scans that wait ---

const isOfThisShow = (scan) => scan.show === store.show;

function markAdmitted({ booking, seat }) {
  const row = (list.seats[booking] ??= [seat, 0, "expected"]);
  if (row[2] === "admitted") return;
  row[2] = "admitted";
  list.admitted += 1;
}

let isRefreshing = false;

async function refresh() {
  if (isRefreshing) return;
  isRefreshing = true;
  try {
    await upload();
    const fresh = await ask(listUrl, etag ? { headers: { "If-None-Match": etag } } : {});
    // Another show than one of the day is not found.
    problem = fresh?.ok === false ? fresh.detail : "";
    if (fresh && !problem) {
      ({ etag } = fresh);
      list = fresh;
      // The service doesn't know yet who was let in by the scans that wait.
      store.waiting.filter(isOfThisShow).forEach(markAdmitted);
      store.list = list;
      draw();
    }
    setOffline(hasNoAnswer);
  } catch (error) {
    if (error instanceof SignedOut) problem = signedOut().detail;
    else if (!(error instanceof NoNetwork)) throw error;
    setOffline(error instanceof NoNetwork);
  } finally {
    isRefreshing = false;
  }
}

// How often each waiting scan was sent and got no answer.
const failures = new Map();
// Whether the last waiting scan of this show that was sent got no answer in time. A new scan would wait as long.
let hasNoAnswer = false;

// Sends the scans of all shows that were made offline, with the same nonces, so that none is stored twice.
async function upload() {
  const failuresOf = ({ nonce }) => failures.get(nonce) ?? 0;
  // A scan that got no answer is sent again after the others, so that it holds up none of them.
  const scans = store.waiting.sort((one, other) => failuresOf(one) - failuresOf(other));
  if (!scans.some(isOfThisShow)) hasNoAnswer = false;
  for (const { booking, seat, show: ofShow, ...scan } of scans) {
    let answer;
    try {
      answer = await post(admitUrl.replace(`/${store.show}/`, `/${ofShow}/`), scan);
    } catch (error) {
      if (!(error instanceof NoNetwork)) throw error;
      failures.set(scan.nonce, failuresOf(scan) + 1);
      if (ofShow === store.show) hasNoAnswer = !(error instanceof ServerError);
      if (error instanceof ServerError) continue;
      // Each wait takes seconds. Whether there is a network, the list shows.
      return;
    }
    if (ofShow === store.show) hasNoAnswer = false;
    store.remove(scan);
    failures.delete(scan.nonce);
    if (!answer.code) continue;
    const { nonce, scanned_at } = scan;
    const entry = { nonce, scanned_at, show: ofShow, seat: answer.seat || seat, reason: reasonOf(answer) };
    // The service has no record of it.
    if (!answer.ok) store.refuse(entry);
    addProblem(entry);
  }
}

const reasonOf = ({ ok, code, detail }) =>
  ok ? `should have been stopped (${code.replaceAll("_", " ")})` : `the scan was refused and not stored. ${detail}`;

function addProblem({ seat, show: ofShow, scanned_at: at, reason }) {
  const item = document.createElement("li");
  const time = new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false });
  const where = ofShow === store.show ? "" : " of another show";
  item.textContent = `Let in at ${time} without the network. ${seat || "A ticket"}${where}: ${reason}`;
  find("door-problems").append(item);
}

function setOffline(now) {
  isOffline = now;
  const waiting = store.waiting.length;
  const network = find("door-network");
  const text = [
    now && "No network. Tickets are checked on this device.",
    waiting && (waiting === 1 ? "1 scan waits to be sent." : `${waiting} scans wait to be sent.`),
    store.isFull && "The browser's storage is full or off: keep this page open until all scans are sent.",
    problem,
  ].filter(Boolean).join(" ");
  network.classList.toggle("is-offline", Boolean(text));
  if (network.textContent !== text) network.textContent = text;
}

// --- Drawing ---

function drawCounts() {
  find("door-admitted").textContent = list.admitted;
  find("door-sold").textContent = list.sold;
  setOffline(isOffline);
}

function draw() {
  drawCounts();
  const last = list.scans.find(({ what }) => what.startsWith("Admitted"));
  find("door-last").textContent = last ? ` · last ${last.seat} at ${last.at}, ${last.where}` : "";
  find("door-scans").replaceChildren(...list.scans.map(rowOf));
}

function rowOf(scan) {
  const row = document.createElement("tr");
  for (const text of [scan.seat, scan.at, scan.what, scan.where]) row.insertCell().textContent = text;
  const cell = row.insertCell();
  if (scan.undo) {
    const button = Object.assign(document.createElement("button"), { type: "button", className: "button" });
    button.textContent = "Undo";
    button.setAttribute("aria-label", `Undo ${scan.seat}`);
    button.addEventListener("click", () => askReason(scan));
    cell.append(button);
  }
  return row;
}

// --- Undo ---

function askReason(scan) {
  undoing = scan;
  find("door-undone").textContent = scan ? scan.seat : "";
  find("door-undo").hidden = !scan;
  (scan ? find("door-reason") : field).focus();
}

find("door-undo").addEventListener("submit", async (event) => {
  event.preventDefault();
  const { booking, seat } = undoing;
  const fields = { booking, reason: find("door-reason").value, nonce: newNonce(), device: device.value };
  let answer;
  try {
    answer = await post(undoUrl, fields);
  } catch (error) {
    answer = error instanceof SignedOut ? signedOut() : { ok: false, detail: "Undo needs the network." };
  }
  if (answer.ok) {
    event.target.reset();
    askReason(null);
    write("is-waiting", "", "Undone", { seat, detail: answer.detail });
  } else {
    show(answer);
  }
  refresh();
});

find("door-keep").addEventListener("click", () => askReason(null));

// --- The field, the camera and the device's name ---

find("door-form").addEventListener("submit", (event) => {
  event.preventDefault();
  if (field.value.trim()) check(field.value);
  field.value = "";
});

// A scanner's text goes into the field, wherever the focus is.
document.addEventListener("keydown", (event) => {
  const isText = event.key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey;
  if (isText && !event.target.closest("input")) field.focus();
});

const sendPicture = (picture) => post(pictureUrl, picture);
const camera = new Camera(find("door-video"), sendPicture, check);

find("door-camera").hidden = !(canUseCamera && (canDetect || pictureUrl));
find("door-camera").addEventListener("click", async (event) => {
  const button = event.currentTarget;
  try {
    if (camera.isOn) camera.stop();
    else await camera.start();
  } catch {
    show({ ok: false, detail: "The camera can't be used. Allow it in the browser, or take a photo." });
  }
  find("door-video").hidden = !camera.isOn;
  button.setAttribute("aria-pressed", String(camera.isOn));
  field.focus();
});

find("door-photo").hidden = !(canDetect || pictureUrl);
find("door-no-reader").hidden = canDetect || Boolean(pictureUrl);
find("door-photo").addEventListener("change", async ({ target }) => {
  const [file] = target.files;
  target.value = "";
  if (!file) return;
  const text = await readPhoto(file, sendPicture).catch(() => null);
  if (text) check(text);
  else show({ ok: false, detail: "There is no QR code in this photo.", advice: "Take it again, closer." });
  field.focus();
});

device.value = attempt(() => localStorage.getItem("door-device")) ?? "";
device.addEventListener("change", () => attempt(() => localStorage.setItem("door-device", device.value)));

find("door-no-signatures").hidden = canVerify;

if (list) draw();
store.refused.forEach(addProblem);
field.focus();
await refresh();
setInterval(refresh, REFRESH_MS);
window.addEventListener("online", refresh);
