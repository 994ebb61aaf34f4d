// Turning the gimbal by hand: rates while a finger or a button is down, nothing after.
// The driver stops by itself 200 ms after the last rate.

const PERIOD_MS = 50;
const FULL_VIEWS_PER_S = 1.2; // at full deflection, in fields of view
const RATE_MAX = 1.5; // [rad/s]

export class Steering {
  constructor(link, api) {
    this.link = link;
    this.api = api;
    this.timer = 0;
  }

  /** Begin; `deflection` is asked for [right, down] in -1..1 again and again. */
  start(deflection) {
    if (!this.api.maySteer()) return false;
    this.end();
    const scan = this.link.sections.scan;
    if (scan && (scan.level === "sweep" || scan.level === "close")) this.api.post("scan/pause", { is_paused: true });
    const send = () => {
      const [right, down] = deflection();
      const hfov = this.link.sections.gimbal?.hfov_rad || 1;
      const full = Math.min(RATE_MAX, FULL_VIEWS_PER_S * hfov);
      this.link.rate(-full * shaped(right), full * shaped(down));
    };
    this.link.rate(0, 0); // says that the hand was off: after a stop, no rate is obeyed before
    send();
    this.timer = setInterval(send, PERIOD_MS);
    return true;
  }

  end() {
    if (!this.timer) return;
    clearInterval(this.timer);
    this.timer = 0;
    this.link.rate(0, 0);
  }

  get isActive() {
    return this.timer !== 0;
  }
}

// Fine near the middle, fast at the rim.
function shaped(value) {
  const cut = Math.max(-1, Math.min(1, value));
  return Math.sign(cut) * cut * cut;
}
