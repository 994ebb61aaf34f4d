// The live connection: news and pictures in, confirmations and rates out. It comes back by itself.

const RETRY_MS = [300, 700, 1500, 3000];
const decoder = new TextDecoder();

export class Link extends EventTarget {
  constructor(wantsPictures = true) {
    super();
    this.wantsPictures = wantsPictures;
    this.sections = {};
    this.ages = {};
    this.me = { id: "", may_control: false, is_operator: false };
    this.seenMs = 0;
    this.isOpen = false;
    this.tries = 0;
    document.addEventListener("visibilitychange", () => this.look());
    this.connect();
  }

  connect() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    this.socket = new WebSocket(`${scheme}://${location.host}/api/live`);
    this.socket.binaryType = "arraybuffer";
    this.socket.onopen = () => {
      this.isOpen = true;
      this.tries = 0;
      this.look();
      this.dispatchEvent(new Event("open"));
    };
    this.socket.onclose = () => {
      const wasOpen = this.isOpen;
      this.isOpen = false;
      this.me = { ...this.me, is_operator: false };
      this.dispatchEvent(new CustomEvent("gone", { detail: { wasOpen } }));
      const wait = RETRY_MS[Math.min(this.tries++, RETRY_MS.length - 1)];
      this.retry = setTimeout(() => this.connect(), wait);
    };
    this.socket.onmessage = ({ data }) => (typeof data === "string" ? this.takeNews(data) : this.takePicture(data));
  }

  /** Connect anew, with the rights that a cookie has given meanwhile. */
  renew() {
    clearTimeout(this.retry);
    this.socket.onclose = null;
    this.socket.close();
    this.connect();
  }

  takeNews(text) {
    const news = JSON.parse(text);
    Object.assign(this.sections, news.sections);
    this.ages = news.ages;
    this.me = news.me;
    this.seenMs = news.now_ms;
    this.dispatchEvent(new CustomEvent("news", { detail: new Set(Object.keys(news.sections)) }));
    this.send({ ack: news.n });
  }

  async takePicture(buffer) {
    const length = new DataView(buffer).getUint32(0, true);
    const header = JSON.parse(decoder.decode(new Uint8Array(buffer, 4, length)));
    const jpeg = new Blob([new Uint8Array(buffer, 4 + length)], { type: "image/jpeg" });
    const bitmap = await createImageBitmap(jpeg);
    this.dispatchEvent(new CustomEvent("picture", { detail: { header, bitmap } }));
    bitmap.close();
    this.send({ ack: header.n });
  }

  send(message) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  /** Pictures are wanted while somebody can see them. */
  look() {
    this.send({ look: this.wantsPictures && document.visibilityState === "visible" });
  }

  rate(yaw, pitch) {
    this.send({ rate: [yaw, pitch], seen_ms: this.seenMs });
  }
}
