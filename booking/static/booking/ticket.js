// Stores the page, so that it opens without a network. Browsers allow this over https and on localhost only.
const { src, dataset } = document.currentScript;
if ("serviceWorker" in navigator) {
  navigator.serviceWorker
    .register(dataset.worker)
    .then(() => navigator.serviceWorker.ready)
    .then(() => caches.open("tickets"))
    .then((tickets) => tickets.match(location.href).then((stored) => stored || tickets.addAll([location.href, src])))
    .then(() => (document.getElementById("stored").hidden = false))
    .catch(() => {});
}
