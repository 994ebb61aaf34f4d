"""The latency ledger: percentiles of the last minute, bounded, unknown and unbelievable times."""

import pytest

from ros_support_pkg import steady_clock
from ros_support_pkg.core.latency import NAMES, STAGES, LatencyLedger, read_figures

MS, S = 10**6, 10**9
START = 1_000 * S


def test_nothing_measured_gives_no_figures():
    ledger = LatencyLedger(STAGES)
    assert ledger.figures(START) == {}
    assert ledger.percentiles_ms("moved", START) == {}


def test_percentiles_are_measured_durations():
    ledger = LatencyLedger(["inferred"])
    for duration_ms in (*range(100, 0, -1),):
        ledger.add("inferred", START, START + duration_ms * MS)
    assert ledger.percentiles_ms("inferred", START) == {50: 50.0, 95: 95.0, 99: 99.0}


@pytest.mark.parametrize("duration_ms", [0, 7])
def test_one_duration_is_every_percentile(duration_ms):
    ledger = LatencyLedger(["moved"])
    ledger.add("moved", START, START + duration_ms * MS)
    assert set(ledger.percentiles_ms("moved", START).values()) == {float(duration_ms)}


def test_only_the_last_minute_counts_for_percentiles():
    ledger = LatencyLedger(["tracked"])
    ledger.add("tracked", START - 900 * MS, START)
    ledger.add("tracked", START + 59 * S, START + 59 * S + MS)
    assert ledger.percentiles_ms("tracked", START + 60 * S)[99] == 900.0
    assert ledger.percentiles_ms("tracked", START + 61 * S)[99] == 1.0
    later = ledger.figures(START + 200 * S)
    assert later == {"latency_tracked_count": "2", "latency_tracked_sum_s": "0.901"}


def test_what_is_kept_is_bounded():
    ledger = LatencyLedger(["decided"])
    for number in range(10_000):
        ledger.add("decided", START, START + (number + 1))
    figures = read_figures(ledger.figures(START))["decided"]
    assert figures["count"] == 10_000
    assert len(ledger._durations["decided"].newest) == 2048
    assert ledger.percentiles_ms("decided", START)[50] == (10_000 - 1024) / MS


@pytest.mark.parametrize(("since_ns", "until_ns"), [(0, START), (START, 0), (0, 0)])
def test_unknown_times_are_no_durations(since_ns, until_ns):
    ledger = LatencyLedger(["received"])
    ledger.add("received", since_ns, until_ns)
    assert ledger.figures(START) == {}


@pytest.mark.parametrize("difference_ns", [-1, -3600 * S, 61 * S, 10**6 * S])
def test_a_step_or_a_recording_is_no_latency(difference_ns):
    """Stamps of another time, of a bag that is played or from the future, are counted apart."""
    ledger = LatencyLedger(["received"])
    ledger.add("received", 2 * 10**6 * S, 2 * 10**6 * S + difference_ns)
    assert ledger.figures(START) == {"latency_unbelievable": "1"}


def test_figures_can_be_read_again():
    ledger = LatencyLedger(NAMES)
    for number, name in enumerate(NAMES, start=1):
        ledger.add(name, START, START + number * MS)
    read = read_figures({**ledger.figures(START), "frames": "7"})
    assert tuple(read) == NAMES
    assert read["received"] == {
        "p50_s": 0.001,
        "p95_s": 0.001,
        "p99_s": 0.001,
        "sum_s": 0.001,
        "count": 1.0,
    }


@pytest.mark.parametrize("text", ["", "nan", "inf", "-1", "fast"])
def test_what_is_no_number_is_left_out(text):
    values = {"latency_moved_count": "3", "latency_moved_p95_ms": text, "latency_moved_sum_s": "1"}
    assert read_figures(values) == {"moved": {"count": 3.0, "sum_s": 1.0}}
    assert read_figures({"latency_moved_count": text}) == {}


class _Times:
    def __init__(self, clock: int) -> None:
        self.clock = clock


def test_stamps_of_another_machine_or_none_are_not_comparable():
    own = steady_clock.clock_id()
    assert own, "the boot id can be read on Linux"
    assert steady_clock.is_comparable(_Times(own))
    assert not steady_clock.is_comparable(_Times(own ^ 1))
    assert not steady_clock.is_comparable(_Times(0))


def test_a_machine_that_does_not_tell_its_boot_compares_nothing(monkeypatch, tmp_path):
    monkeypatch.setattr(steady_clock, "_BOOT_ID", tmp_path / "absent")
    steady_clock.clock_id.cache_clear()
    try:
        assert steady_clock.clock_id() == 0
        assert not steady_clock.is_comparable(_Times(0))
    finally:
        steady_clock.clock_id.cache_clear()
