// The recorder: how full the ring is, what was dropped, which events are kept.

import { byId, bytes, clock, element, setFigures, setText } from "./dom.js";

export class Recorder {
  constructor(link, api) {
    this.link = link;
    byId("event-form").addEventListener("submit", async (event) => {
      event.preventDefault();
      const label = byId("event-label");
      if (!label.value.trim()) return label.focus();
      if (api.maySteer() && (await api.post("recorder/events", { label: label.value.trim() }))) label.value = "";
    });
    link.addEventListener("news", ({ detail }) => this.tell(detail));
  }

  tell(changed) {
    const { recorder, presence, events } = this.link.sections;
    byId("event-form").querySelector("button").disabled = !presence?.["recorder/mark_event"];
    const state = byId("recorder-state");
    state.className = `value ${recorder ? (recorder.is_recording ? "good" : "bad") : ""}`;
    setText(state, recorder ? (recorder.is_recording ? "recording" : "not recording") : "no recorder");
    byId("ring").firstElementChild.style.width = recorder?.bytes_budget
      ? `${Math.min(100, (100 * recorder.bytes_used) / recorder.bytes_budget)}%` : "0";
    setFigures(byId("recorder-figures"), recorder ? [
      ["ring", `${bytes(recorder.bytes_used)} of ${bytes(recorder.bytes_budget)}`],
      ["since", clock(recorder.oldest)],
      ["events", `${recorder.events}, ${bytes(recorder.bytes_events)}`],
      ["disk free", bytes(recorder.bytes_free)],
      ["dropped", `${recorder.dropped} of ${recorder.messages}${recorder.drop_reason ? ` (${recorder.drop_reason})` : ""}`],
    ] : []);
    if (!changed.has("events")) return;
    byId("events").replaceChildren(...(events ?? []).map((one) => element("li", {},
      element("a", { href: one.page, target: "_blank", rel: "noopener", textContent: one.label }),
      element("span", { textContent: clock(one.marked_ns) }))));
  }
}
