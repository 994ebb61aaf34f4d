"""What can be set about proposals: what does not belong, found without a word of the model."""

from __future__ import annotations

import json
from dataclasses import dataclass

from ros_support_pkg.core.settings import (
    SettingError,
    check,
    make,
    setting,
    settings_of,
    values_of,
)
from semantic_detection_pkg.detector.core.colour_range import (
    ANOMALY,
    MOST_COLOURS,
    ColourRange,
    Tolerance,
    parse_colours,
)
from semantic_detection_pkg.errors import ConfigurationError


@dataclass(frozen=True)
class ProposalSettings:
    """Proposals beside the model's detections; each may be changed while the detector runs.

    Raises:
        ConfigurationError: on construction, if a value is out of its range or no colour.
    """

    propose_anomalies: bool = setting(
        False,
        "what has another colour than all around is proposed, as class anomaly",
        is_runtime=True,
    )
    propose_colours: tuple[str, ...] = setting(
        (),
        f"what has one of these colours is proposed, as class of its name; at most {MOST_COLOURS}: "
        "red, orange, yellow, green, cyan, blue, purple, pink, white, black, NAME=#rrggbb or "
        "NAME=HUE..HUE,SATURATION..SATURATION,VALUE..VALUE (0..360, 0..1, 0..1); ['']: none",
        is_runtime=True,
    )
    anomaly_threshold: float = setting(
        10.0,
        "how many times the usual difference from its surroundings an anomaly has at least",
        unit="sigma",
        minimum=2.0,
        maximum=100.0,
        is_runtime=True,
    )
    hue_tolerance_deg: float = setting(
        12.0,
        "how far the hue may be from that of NAME=#rrggbb",
        minimum=1.0,
        maximum=180.0,
        is_runtime=True,
    )
    saturation_tolerance: float = setting(
        0.25, "the same of the saturation", minimum=0.01, maximum=1.0, is_runtime=True
    )
    value_tolerance: float = setting(
        0.35, "the same of the value", minimum=0.01, maximum=1.0, is_runtime=True
    )
    max_proposals: int = setting(
        3, "greatest number of proposals in a frame", minimum=1, maximum=20, is_runtime=True
    )
    min_proposal_px: float = setting(
        8.0,
        "least longer side of a proposal in the frame",
        minimum=1.0,
        maximum=1000.0,
        is_runtime=True,
    )
    max_proposal_share: float = setting(
        0.05,
        "greatest share of the frame that a proposal's box takes: larger ones are ground or sky",
        minimum=0.0001,
        maximum=1.0,
        is_runtime=True,
    )
    proposal_frame_px: int = setting(
        480,
        "the frame is reduced until its longer side is at most this long",
        minimum=64,
        maximum=1920,
        is_runtime=True,
    )

    def __post_init__(self) -> None:
        try:
            check(self)
        except SettingError as error:
            raise ConfigurationError(str(error)) from None
        try:
            self.colours()
        except ConfigurationError as error:
            raise ConfigurationError(f"parameter 'propose_colours': {error}") from None

    def colours(self) -> tuple[ColourRange, ...]:
        """Return the ranges of colours that are proposed."""
        tolerance = Tolerance(
            self.hue_tolerance_deg, self.saturation_tolerance, self.value_tolerance
        )
        return parse_colours(self.propose_colours, tolerance)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Return the classes of what is proposed; empty: nothing is."""
        names = tuple(one.name for one in self.colours())
        return (*names, ANOMALY) if self.propose_anomalies else names

    def as_text(self) -> str:
        """Return the settings as JSON, as recordings keep them; empty: nothing is proposed."""
        return json.dumps(values_of(self), sort_keys=True) if self.class_names else ""

    @classmethod
    def from_text(cls, text: str) -> ProposalSettings:
        """Return what `as_text` wrote.

        Raises:
            ConfigurationError: it is something else.
        """
        if not text:
            return cls()
        try:
            values = json.loads(text)
            known = settings_of(cls)
            for name, value in values.items():
                kind = type(known[name].default)
                values[name] = kind(value) if kind in (tuple, float) else value
                if type(values[name]) is not kind:
                    raise ValueError(f"{name} is {value!r}")
            return make(cls, values)
        except ConfigurationError:
            raise
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ConfigurationError(f"settings of proposals {text[:80]!r}: {error}") from None

    def check_words(self, words: tuple[str, ...]) -> None:
        """Refuse names that words of the model have, too.

        Raises:
            ConfigurationError: there is one.
        """
        for name in self.class_names:
            if name in words:
                raise ConfigurationError(
                    f"word {name!r} is the name of a proposal, too: give the colour another name "
                    f"(propose_colours), or leave out the word"
                )
