// Requests that change something. What was refused is said, in the robot's words.

import { toast } from "./dom.js";

export class Api {
  constructor(link) {
    this.link = link;
  }

  /** Send; resolves to whether it was done. */
  async post(path, body) {
    return (await this.ask(path, body)) !== null;
  }

  /** Send; resolves to the answer, null where it was not done. */
  async ask(path, body) {
    let response;
    try {
      response = await fetch(`/api/${path}`, {
        method: "POST",
        headers: { "Content-Type": "application/json", "X-Viewer": this.link.me.id },
        body: body === undefined ? undefined : JSON.stringify(body),
      });
    } catch {
      toast("the dashboard cannot be reached", "bad");
      return null;
    }
    const answer = response.status === 204 ? {} : await response.json().catch(() => ({}));
    if (!response.ok) toast(answer.detail || `refused (${response.status})`, "bad");
    else if (answer.message) toast(answer.message);
    return response.ok ? answer : null;
  }

  /** Send a file; resolves to whether it was taken, and what the robot said. */
  async upload(path, blob) {
    const headers = { "Content-Type": blob.type || "application/octet-stream", "X-Viewer": this.link.me.id };
    const response = await fetch(`/api/${path}`, { method: "POST", headers, body: blob }).catch(() => null);
    if (!response) return { isDone: false, said: "the dashboard cannot be reached" };
    const answer = await response.json().catch(() => ({}));
    return { isDone: response.ok, said: answer.detail ?? answer.message ?? (response.ok ? "" : `refused (${response.status})`) };
  }

  async stop() {
    const isStopped = await this.post("gimbal/stop");
    // Nobody else steers then: what moves it by itself rests while somebody holds control.
    if (isStopped && !this.link.sections.operator?.name) await this.post("operator", { is_taken: true });
    return isStopped;
  }

  /** Whether this page may steer now; says what to do where it may not. */
  maySteer() {
    if (this.link.me.is_operator) return true;
    const holder = this.link.sections.operator?.name;
    toast(holder ? `${holder} holds control` : "take control first", "bad");
    return false;
  }
}
