// Shows a ticket that was opened before when the network is away.
const TICKETS = "tickets";

async function answer(request) {
  const tickets = await caches.open(TICKETS);
  const stored = await tickets.match(request.url);
  try {
    const response = await fetch(request);
    if (response.status >= 500 && stored) return stored;
    // A ticket that is not valid any more is forgotten.
    await (response.ok ? tickets.put(request.url, response.clone()) : tickets.delete(request.url));
    return response;
  } catch (error) {
    if (stored) return stored;
    throw error;
  }
}

self.addEventListener("fetch", (event) => {
  if (event.request.mode === "navigate" && event.request.method === "GET") event.respondWith(answer(event.request));
});
