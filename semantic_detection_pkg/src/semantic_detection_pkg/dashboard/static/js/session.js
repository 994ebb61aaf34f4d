// The token: asked for when the server wants it, exchanged for a cookie.

import { byId, setText } from "./dom.js";

export class Session {
  constructor(link) {
    this.link = link;
    this.dialog = byId("sign-in");
    this.dialog.querySelector("form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.signIn();
    });
  }

  /** A browser does not say why a WebSocket was refused: a request does. */
  async check() {
    const response = await fetch("/api/state/server").catch(() => null);
    if (response?.status === 401 || response?.status === 429) this.ask("Looking needs the token.");
  }

  ask(reason) {
    if (this.dialog.open) return;
    setText(byId("sign-in-note"), reason);
    this.dialog.showModal();
  }

  async signIn() {
    const field = byId("token");
    const response = await fetch("/api/session", {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ token: field.value }),
    }).catch(() => null);
    if (!response?.ok) {
      const answer = response ? await response.json().catch(() => ({})) : {};
      setText(byId("sign-in-note"), answer.detail || "the dashboard cannot be reached");
      return;
    }
    field.value = "";
    this.dialog.close();
    this.link.renew();
  }
}
