// What the door does without the network: it checks tickets against the last list of the show, and keeps its scans.
// A ticket is a JWS (RFC 7515) with the claims s (show), b (booking), n (seat) and v (serial).

const decode = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
const json = (part) => JSON.parse(new TextDecoder().decode(decode(part)));

// Returns the claims of a ticket, or null if the text is no ticket of this cinema.
async function readTicket(text, keys) {
  try {
    const [header, payload, signature] = text.split(".");
    const key = keys.find(({ kid }) => kid === json(header).kid);
    if (!key) return null;
    // Browsers check signatures only on pages that were loaded over HTTPS or from this machine.
    if (crypto.subtle && !(await isSigned(key, `${header}.${payload}`, decode(signature)))) return null;
    return json(payload);
  } catch {
    return null;
  }
}

async function isSigned(key, text, signature) {
  const { kty, crv, x } = key;
  const imported = await crypto.subtle.importKey("jwk", { kty, crv, x }, { name: "Ed25519" }, false, ["verify"]);
  return crypto.subtle.verify({ name: "Ed25519" }, imported, signature, new TextEncoder().encode(text));
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
  const [seat, serial, state] = list.seats[ticket.b] ?? [`Seat ${ticket.n}`, ticket.v, crypto.subtle ? "expected" : "unknown"];
  if (state === "unknown") return stop("ticket_invalid", "This ticket is not on the list of the show.");
  if (state === "cancelled") return stop("ticket_cancelled", "This booking was cancelled.", seat);
  if (ticket.v < serial) return stop("ticket_cancelled", "There is a newer ticket for this booking.", seat);
  if (state === "admitted") return stop("already_checked_in", `${seat} was already admitted.`, seat);
  if (Date.now() < Date.parse(list.opens_at)) return stop("not_yet_open", `The doors open at ${list.opens}.`, seat);
  if (state === "unpaid") return stop("ticket_unpaid", "Something is still to be paid for this order.", seat);
  return { ok: true, booking: ticket.b, seat, detail: "Checked without the network." };
}

// Scans that wait for the network, and the last list, in the browser's storage: they survive a reload.
export class Store {
  constructor(show) {
    this.show = show;
  }

  read(name, otherwise) {
    return JSON.parse(localStorage.getItem(`door-${this.show}-${name}`)) ?? otherwise;
  }

  write(name, value) {
    localStorage.setItem(`door-${this.show}-${name}`, JSON.stringify(value));
  }

  get waiting() {
    return this.read("waiting", []);
  }

  add(scan) {
    this.write("waiting", [...this.waiting, scan]);
  }

  remove(scan) {
    this.write(
      "waiting",
      this.waiting.filter(({ nonce }) => nonce !== scan.nonce),
    );
  }
}
