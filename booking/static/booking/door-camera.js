// Reads QR codes with the camera or from a photo: by the browser's BarcodeDetector where there is one, else by the
// service, which gets a grey picture of one byte a pixel.

const FRAME_MS = 400;
// 800 × 800 pixels are within the service's limit.
const MAX_SIDE = 800;

const detector = await (async () => {
  if (!("BarcodeDetector" in window)) return null;
  const formats = await window.BarcodeDetector.getSupportedFormats();
  return formats.includes("qr_code") ? new window.BarcodeDetector({ formats: ["qr_code"] }) : null;
})();

export const canUseCamera = Boolean(navigator.mediaDevices?.getUserMedia);
export const canDetect = Boolean(detector);

// Returns the text of a QR code in the picture, or null. `send` asks the service.
export async function readPicture(picture, width, height, send) {
  if (detector) return (await detector.detect(picture))[0]?.rawValue ?? null;
  const scale = Math.min(1, MAX_SIDE / Math.max(width, height));
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [Math.round(width * scale), Math.round(height * scale)];
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(picture, 0, 0, canvas.width, canvas.height);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  const grey = new Uint8Array(data.length / 4);
  for (let n = 0; n < grey.length; n += 1) {
    grey[n] = 0.299 * data[4 * n] + 0.587 * data[4 * n + 1] + 0.114 * data[4 * n + 2];
  }
  const { texts } = await send({ width: canvas.width, pixels: new Blob([grey]) });
  return texts?.[0] ?? null;
}

export async function readPhoto(file, send) {
  const bitmap = await createImageBitmap(file);
  return readPicture(bitmap, bitmap.width, bitmap.height, send);
}

// The camera of the device, which reports each QR code once, until another one or none is before it for a while.
export class Camera {
  constructor(video, send, found) {
    Object.assign(this, { video, send, found, last: null, misses: 0 });
  }

  get isOn() {
    return Boolean(this.video.srcObject);
  }

  async start() {
    this.video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    await this.video.play();
    this.scanFrame();
  }

  stop() {
    for (const track of this.video.srcObject.getTracks()) track.stop();
    this.video.srcObject = null;
  }

  async scanFrame() {
    if (!this.isOn) return;
    const { videoWidth, videoHeight } = this.video;
    const text = videoWidth ? await readPicture(this.video, videoWidth, videoHeight, this.send).catch(() => null) : null;
    this.misses = text ? 0 : this.misses + 1;
    if (text && text !== this.last) this.found(text);
    if (text || this.misses > 3) this.last = text;
    setTimeout(() => this.scanFrame(), FRAME_MS);
  }
}
