// A class by example: a box drawn on the live picture, or on a photograph that is dropped or chosen.

import { byId, element, setText, toast } from "./dom.js";

const BYTES_MAX = 64 * 2 ** 20; // of the robot's service
const LEAST_PX = 4; // on the screen: less is a slip
const [LINE, SHADE] = ["#f2b544", "#0009"];
/** What the first bytes of a file say. */
const KINDS = [
  ["JPEG", (bytes) => bytes[0] === 0xff && bytes[1] === 0xd8],
  ["PNG", (bytes) => bytes[0] === 0x89 && latin(bytes, 1, 4) === "PNG"],
  ["WebP", (bytes) => latin(bytes, 0, 4) === "RIFF" && latin(bytes, 8, 12) === "WEBP"],
];

export class Example {
  constructor(link, api, form) {
    Object.assign(this, { link, api, form });
    this.dialog = byId("example");
    this.canvas = byId("example-picture");
    this.picture = null; // file and what is shown of it
    this.box = null; // in pixels of the picture
    this.start = null;
    byId("example-live").addEventListener("click", () => this.openLive());
    byId("example-load").addEventListener("click", () => byId("example-file").click());
    byId("example-file").addEventListener("change", ({ target }) => {
      const [file] = target.files;
      target.value = ""; // so that the same file may be chosen again
      if (file) this.openFile(file);
    });
    for (const name of ["dragenter", "dragover", "dragleave", "drop"]) document.addEventListener(name, (event) => this.drop(event));
    this.canvas.addEventListener("pointerdown", (event) => this.press(event));
    this.canvas.addEventListener("pointermove", (event) => this.move(event));
    for (const name of ["pointerup", "pointercancel"]) this.canvas.addEventListener(name, (event) => this.release(event));
    byId("example-done").addEventListener("click", () => this.dialog.close());
    this.dialog.addEventListener("close", () => this.close());
    this.dialog.addEventListener("keydown", ({ key }) => key === "Escape" && this.dialog.close());
    this.dialog.querySelector("form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.send();
    });
  }

  /** The newest frame, as the camera gave it: the box is drawn at leisure. */
  async openLive() {
    if (!this.api.maySteer()) return;
    const response = await fetch("/api/picture?plain=true").catch(() => null);
    if (!response?.ok) {
      const answer = response ? await response.json().catch(() => ({})) : {};
      return void toast(answer.detail || "the dashboard cannot be reached", "bad");
    }
    await this.open(await response.blob(), "the picture of now");
  }

  async openFile(file) {
    const said = await refusalOf(file);
    if (said) return void toast(said, "bad");
    if (this.api.maySteer()) await this.open(file, file.name);
  }

  async open(blob, name) {
    const bitmap = await createImageBitmap(blob).catch(() => null); // turned as its EXIF says, as the robot does
    if (!bitmap) return void toast(`${name}: is damaged, it cannot be shown`, "bad");
    this.picture?.bitmap.close();
    this.picture = { blob, bitmap };
    [this.canvas.width, this.canvas.height] = [bitmap.width, bitmap.height];
    setText(byId("example-of"), name);
    byId("example-names").replaceChildren(...(this.link.sections.detector?.vocabulary ?? []).map((word) => element("option", { value: word })));
    this.setBox(null);
    this.say("Draw a box round one thing.");
    if (!this.dialog.open) this.dialog.show(); // not modal: STOP stays in reach
    this.dialog.scrollTop = 0;
  }

  close() {
    this.picture?.bitmap.close();
    this.picture = this.start = null;
    this.setBox(null);
  }

  /** Files are taken wherever they fall: the browser would leave the page for them. */
  drop(event) {
    if (![...(event.dataTransfer?.types ?? [])].includes("Files")) return;
    event.preventDefault();
    document.body.classList.toggle("dropping", event.type === "dragenter" || event.type === "dragover");
    if (event.type !== "drop") return;
    const { files } = event.dataTransfer;
    if (files.length !== 1) return void toast(`${files.length} files: drop one picture at a time`, "bad");
    this.openFile(files[0]);
  }

  at(event) {
    const { canvas } = this;
    const box = canvas.getBoundingClientRect();
    const inside = (value, most) => Math.max(0, Math.min(value, most));
    return [
      inside(((event.clientX - box.left) / box.width) * canvas.width, canvas.width),
      inside(((event.clientY - box.top) / box.height) * canvas.height, canvas.height),
    ];
  }

  press(event) {
    if (event.button !== 0 || !this.picture) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.start = this.at(event);
    this.setBox(null);
  }

  move(event) {
    if (this.start) this.setBox(boxOf(this.start, this.at(event)));
  }

  release(event) {
    if (!this.start) return;
    const box = boxOf(this.start, this.at(event));
    this.start = null;
    const least = (LEAST_PX * this.canvas.width) / this.canvas.getBoundingClientRect().width;
    const isSlip = event.type !== "pointerup" || box[2] - box[0] < least || box[3] - box[1] < least;
    this.setBox(isSlip ? null : box);
    if (isSlip) this.say("That box has no area: press at one corner and drag to the other.", "bad");
    else this.say(`Box of ${Math.round(box[2] - box[0])} × ${Math.round(box[3] - box[1])} px.`);
  }

  setBox(box) {
    this.box = box;
    byId("example-send").disabled = !box;
    this.draw();
  }

  draw() {
    if (!this.picture) return;
    const { canvas, box } = this;
    const context = canvas.getContext("2d");
    context.drawImage(this.picture.bitmap, 0, 0);
    if (!box) return;
    const [x0, y0, x1, y1] = box;
    context.fillStyle = SHADE;
    context.beginPath();
    context.rect(0, 0, canvas.width, canvas.height);
    context.rect(x0, y0, x1 - x0, y1 - y0);
    context.fill("evenodd");
    context.strokeStyle = LINE;
    context.lineWidth = Math.max(1, canvas.width / 400);
    context.strokeRect(x0, y0, x1 - x0, y1 - y0);
  }

  async send() {
    const name = byId("example-name").value.trim();
    if (!name) return void this.say("Give it a name.", "bad");
    if (!this.box || !this.api.maySteer()) return;
    const isNegative = byId("example-not").checked;
    const [x0, y0, x1, y1] = this.box.map((edge) => edge.toFixed(2));
    const query = new URLSearchParams({ name, is_negative: isNegative, x_min: x0, y_min: y0, x_max: x1, y_max: y1 });
    byId("example-send").disabled = true;
    this.say("The robot looks at it …");
    const { isDone, said } = await this.api.upload(`examples?${query}`, this.picture.blob);
    if (!isDone) {
      byId("example-send").disabled = !this.box;
      return void this.say(said, "bad");
    }
    this.setBox(null);
    const next = isNegative ? "" : this.form.addWord(name);
    const done = `${isNegative ? "Not a" : "A"} ${name}, that is. ${said ? `${said}. ` : next}`;
    this.say(`${done}Draw another box, or close.`);
  }

  say(text, kind = "") {
    byId("example-note").className = `note ${kind}`;
    setText(byId("example-note"), text);
  }
}

/** Why a file is no example, in one line; empty: it may be one. */
async function refusalOf(file) {
  if (file.size > BYTES_MAX) return `${file.name}: has ${(file.size / 2 ** 20).toFixed(0)} MiB, at most 64 are taken`;
  if (!file.size) return `${file.name}: the file is empty`;
  const bytes = await file.slice(0, 12).arrayBuffer().then((buffer) => new Uint8Array(buffer), () => null);
  if (!bytes) return `${file.name}: cannot be read`; // a folder, say
  return KINDS.some(([, isIt]) => isIt(bytes)) ? "" : `${file.name}: is no picture that is taken: ${KINDS.map(([kind]) => kind).join(", ")}`;
}

function latin(bytes, from, to) {
  return String.fromCharCode(...bytes.slice(from, to));
}

function boxOf([xa, ya], [xb, yb]) {
  return [Math.min(xa, xb), Math.min(ya, yb), Math.max(xa, xb), Math.max(ya, yb)];
}
