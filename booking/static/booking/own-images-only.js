// Redoc loads its vendor's logo from another host and has no setting to turn this off. Such an image is hidden, because
// browsers draw one without a source as broken.
const isOurs = (url) => new URL(url, location.href).origin === location.origin;
const image = HTMLImageElement.prototype;
const source = Object.getOwnPropertyDescriptor(image, "src");
const setAttribute = image.setAttribute;

Object.defineProperty(image, "src", {
  ...source,
  set(url) {
    if (isOurs(url)) source.set.call(this, url);
    else this.hidden = true;
  },
});
image.setAttribute = function (name, value) {
  if (name !== "src" || isOurs(value)) setAttribute.call(this, name, value);
  else this.hidden = true;
};
