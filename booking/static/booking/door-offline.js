// What the door does without the network: it checks tickets against the last list of the show, and keeps its scans.
// A ticket is a JWS (RFC 7515) with the claims s (show), b (booking), n (seat) and v (serial).

const decode = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
const json = (part) => JSON.parse(new TextDecoder().decode(decode(part)));

// Whether the browser verifies signatures: it does so only on pages that were loaded over HTTPS or from this machine,
// and older ones don't know Ed25519. The key is the example of RFC 8037.
export const canVerify = await (async () => {
  try {
    await importKey({ kty: "OKP", crv: "Ed25519", x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" });
    return true;
  } catch {
    return false;
  }
})();

function importKey({ kty, crv, x }) {
  return crypto.subtle.importKey("jwk", { kty, crv, x }, { name: "Ed25519" }, false, ["verify"]);
}

// Returns the claims of a ticket, or null if the text is no ticket of this cinema.
async function readTicket(text, keys) {
  try {
    const [header, payload, signature] = text.split(".");
    const key = keys.find(({ kid }) => kid === json(header).kid);
    if (!key) return null;
    if (canVerify && !(await isSigned(key, `${header}.${payload}`, decode(signature)))) return null;
    return json(payload);
  } catch {
    return null;
  }
}

async function isSigned(key, text, signature) {
  return crypto.subtle.verify({ name: "Ed25519" }, await importKey(key), signature, new TextEncoder().encode(text));
}

const stop = (code, detail, seat = "") => ({ ok: false, code, detail, seat });

// Returns the answer to a scan; `list` is the last list of the show, which has the public keys of tickets.
export async function checkOffline(text, list) {
  if (!list) return stop("offline", "There is no list of this show on the device. Wait for the network.");
  if (text.split(".").length !== 3) {
    return stop("offline", "Without the network only tickets can be checked, no references. Scan the ticket.");
  }
  const ticket = await readTicket(text, list.keys);
  if (!ticket) return stop("ticket_invalid", "This is not a ticket of this cinema.");
  if (ticket.s !== list.show) return stop("wrong_show", "This ticket is for another show.");
  // Without a row, the seat was sold after the list was loaded, which the signature proves.
  const [seat, serial, state] = list.seats[ticket.b] ?? [`Seat ${ticket.n}`, ticket.v, canVerify ? "expected" : "unknown"];
  if (state === "unknown") return stop("ticket_invalid", "This ticket is not on the list of the show.");
  if (state === "cancelled") return stop("ticket_cancelled", "This booking was cancelled.", seat);
  if (ticket.v < serial) return stop("ticket_cancelled", "There is a newer ticket for this booking.", seat);
  if (state === "admitted") return stop("already_checked_in", `${seat} was already admitted.`, seat);
  if (Date.now() < Date.parse(list.opens_at)) return stop("not_yet_open", `The doors open at ${list.opens}.`, seat);
  if (state === "unpaid") return stop("ticket_unpaid", "Something is still to be paid for this order.", seat);
  return { ok: true, booking: ticket.b, seat, detail: "Checked without the network." };
}

const LIST = "door-list-";
const SCAN = "door-scan-";
const REFUSED = "door-refused-";
// Refused scans are shown for a day, so that the person at the door can tell the office about them.
const KEEP_REFUSED_MS = 24 * 60 * 60 * 1000;

// The last list of the show, and the scans of all shows that wait for the network, in the browser's storage: they
// survive a reload. The storage may be full or switched off; scans without room in it are in memory.
export class Store {
  constructor(show) {
    this.show = show;
    this.isFull = false;
    this.unsaved = [];
    this.deleteOtherLists();
    this.deleteOldRefused();
  }

  get list() {
    return JSON.parse(attempt(() => localStorage.getItem(`${LIST}${this.show}`)) ?? null);
  }

  set list(list) {
    this.save(`${LIST}${this.show}`, list);
  }

  // The scans that wait, the oldest first, each with its show.
  get waiting() {
    const names = keys().filter((name) => name.startsWith(SCAN));
    const saved = names.map((name) => JSON.parse(localStorage.getItem(name))).filter(Boolean);
    return [...saved, ...this.unsaved].sort((one, other) => one.scanned_at.localeCompare(other.scanned_at));
  }

  add(scan) {
    const own = { ...scan, show: this.show };
    if (this.save(`${SCAN}${scan.nonce}`, own)) return;
    // A scan is worth more than the list, which the page has in memory.
    attempt(() => localStorage.removeItem(`${LIST}${this.show}`));
    if (!this.save(`${SCAN}${scan.nonce}`, own)) this.unsaved.push(own);
  }

  remove({ nonce }) {
    attempt(() => localStorage.removeItem(`${SCAN}${nonce}`));
    this.unsaved = this.unsaved.filter((scan) => scan.nonce !== nonce);
  }

  // Scans that the service did not store, of all shows.
  get refused() {
    const names = keys().filter((name) => name.startsWith(REFUSED));
    return names.map((name) => JSON.parse(localStorage.getItem(name))).filter(Boolean);
  }

  refuse(scan) {
    this.save(`${REFUSED}${scan.nonce}`, { ...scan, refused_at: Date.now() });
  }

  deleteOldRefused() {
    for (const { nonce, refused_at: at } of this.refused) {
      if (at < Date.now() - KEEP_REFUSED_MS) attempt(() => localStorage.removeItem(`${REFUSED}${nonce}`));
    }
  }

  save(name, value) {
    this.isFull = !attempt(() => localStorage.setItem(name, JSON.stringify(value)) ?? true);
    return !this.isFull;
  }

  // Lists of shows with waiting scans stay, since their doors are still without the network.
  deleteOtherLists() {
    const needed = new Set([this.show, ...this.waiting.map(({ show }) => show)].map((show) => `${LIST}${show}`));
    for (const name of keys()) {
      if (name.startsWith(LIST) && !needed.has(name)) attempt(() => localStorage.removeItem(name));
    }
  }
}

// Returns the result, or undefined if the storage is full or switched off.
export function attempt(useStorage) {
  try {
    return useStorage();
  } catch {
    return undefined;
  }
}

const keys = () => attempt(() => Object.keys(localStorage)) ?? [];
