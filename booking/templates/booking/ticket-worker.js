// Shows a ticket that was opened before when there is no network, or none that works.
const TICKETS = "tickets";
// A ticket is shown at the door: after this time on a slow network, the stored page is shown.
const TIMEOUT_MS = 3000;

const isGone = (response) => response.status === 404 || response.status === 410;

async function load(request, tickets) {
  const response = await fetch(request);
  if (response.ok) await tickets.put(request.url, response.clone());
  // A ticket that is not valid any more is forgotten.
  if (isGone(response)) await tickets.delete(request.url);
  return response;
}

async function answer(event) {
  const tickets = await caches.open(TICKETS);
  const stored = await tickets.match(event.request.url);
  const loaded = load(event.request, tickets);
  if (!stored) return loaded;
  // Goes on after the stored ticket is shown, so that the next time has the newest one.
  event.waitUntil(loaded.catch(() => {}));
  return Promise.race([
    // A failure of the service, and the sign-in page of a public network, are no reason to show no ticket.
    loaded.then((response) => (response.ok || isGone(response) ? response : stored)).catch(() => stored),
    new Promise((resolve) => setTimeout(resolve, TIMEOUT_MS, stored)),
  ]);
}

self.addEventListener("fetch", (event) => {
  const { mode, destination, method } = event.request;
  if (method === "GET" && (mode === "navigate" || destination === "script")) event.respondWith(answer(event));
});
