// Stores the page, so that it opens without a network; browsers allow this over https only.
const { worker } = document.currentScript.dataset;
if ("serviceWorker" in navigator) {
  navigator.serviceWorker
    .register(worker)
    .then(() => caches.open("tickets"))
    .then((tickets) => tickets.add(location.href))
    .catch(() => {});
}
