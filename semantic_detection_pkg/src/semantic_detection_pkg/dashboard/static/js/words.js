// The words of the messages' constants, in the order of their numbers, and their texts.
// Made by `make docs` from ros_support_pkg/core/words.py and
// semantic_detection_pkg/common/core/palette.py.

export const TEXTS = {
  "GimbalState.link": {
    "down": "down",
    "handshake": "handshake",
    "stale": "stale",
    "up": "up"
  },
  "GimbalState.mode": {
    "unknown": "unknown",
    "lock": "lock",
    "follow": "follow",
    "fpv": "fpv"
  },
  "SetFocus_Request.action": {
    "stop": "stop",
    "auto": "auto",
    "near": "near",
    "far": "far"
  },
  "ScanState.level": {
    "idle": "idle",
    "sweep": "level 1: sweep",
    "close": "level 2: close look",
    "safe": "safe"
  },
  "TierResult.verdict": {
    "not_run": "not run",
    "yes": "yes",
    "no": "no",
    "unsure": "unsure"
  },
  "VlmAnswer.verdict": {
    "not_run": "not run",
    "yes": "yes",
    "no": "no",
    "unsure": "unsure"
  },
  "Finding.state": {
    "candidate": "candidate",
    "confirmed": "confirmed",
    "rejected": "rejected",
    "uncertain": "uncertain"
  },
  "Track.state": {
    "tentative": "tentative",
    "confirmed": "confirmed",
    "lost": "lost"
  },
  "Coverage.result": {
    "unseen": "not seen",
    "empty": "seen, nothing",
    "candidate": "candidate",
    "finding": "finding",
    "rejected": "rejected"
  },
  "GpuState.owner": {
    "nobody": "nobody",
    "detector": "detector",
    "lease": "the VLM",
    "unknown": "unknown"
  },
  "HealthState.level": {
    "ok": "ok",
    "warn": "warn",
    "shed": "loads are shed",
    "critical": "critical"
  },
  "WordMeaning.origin": {
    "prepared": "prepared with the model",
    "encoded": "typed",
    "cached": "typed before",
    "examples": "by example"
  },
  "WordsInForce.cause": {
    "configured": "configured",
    "set": "set",
    "shown": "shown",
    "forgotten": "forgotten"
  },
  "WordAct.kind": {
    "set": "set",
    "shown": "shown",
    "forgotten": "forgotten"
  }
};

export const COLOURS = {
  "Coverage.result": {
    "unseen": "#eeeeee",
    "empty": "#7aa7d9",
    "candidate": "#f2b544",
    "finding": "#2fa866",
    "rejected": "#8b9aa6"
  },
  "Finding.state": {
    "candidate": "#f2b544",
    "confirmed": "#2fa866",
    "rejected": "#8b9aa6",
    "uncertain": "#d9822b"
  },
  "Track.state": {
    "tentative": "#93a4b0",
    "confirmed": "#f2b544",
    "lost": "#f2b544"
  }
};

// Of a probability of detection, in equal steps from 0 to 1.
export const POD_COLOURS = ["#d73027", "#fc8d59", "#fee090", "#91bfdb", "#4575b4"];

export const TIERS = {
  "1": "detector",
  "2": "classifier",
  "3": "VLM"
};
