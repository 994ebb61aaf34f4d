"""Things that no class names: there on request, and nothing else stands elsewhere for them."""

import dataclasses

import numpy as np
import pytest

from simulation_pkg.core.world.geometry import CameraPose, Lens
from simulation_pkg.core.world.layout import WorldLayout, build_world
from simulation_pkg.core.world.render import Effects, Renderer
from simulation_pkg.core.world.things import CLASS_NAMES, ODDITY_NAMES

LAYOUT = WorldLayout(5, plants=30)


def test_they_come_last_and_leave_all_else_where_it_was():
    without = build_world(LAYOUT)
    with_them = build_world(dataclasses.replace(LAYOUT, oddities=7))

    odd = [board for board in with_them.boards if board.class_name in ODDITY_NAMES]
    assert with_them.boards[: len(without.boards)] == without.boards
    assert list(with_them.boards[len(without.boards) :]) == odd
    assert {board.class_name for board in odd} == set(ODDITY_NAMES)
    assert len({board.id for board in with_them.boards if board.id}) == sum(
        board.id > 0 for board in with_them.boards
    )
    assert not set(ODDITY_NAMES) & set(CLASS_NAMES)


def test_they_are_seen_and_told():
    world = build_world(dataclasses.replace(LAYOUT, per_class=0, plants=0, oddities=6))
    renderer = Renderer(world, Lens(640, 360), Effects(0.0, 0.0, shadows=False))
    views = [renderer.render(CameraPose(yaw, 0.42), has_ids=True) for yaw in (-0.9, 0.0, 0.9)]

    seen = [(view, one) for view in views for one in view.truth.objects]
    assert seen
    for view, one in seen:
        assert one.class_name in ODDITY_NAMES
        assert not one.is_decoy
        if one.visible == 1.0:
            shown = view.image[view.ids == one.id].astype(int)
            assert np.ptp(shown, axis=1).max() > 60  # a colour, not a grey


@pytest.mark.parametrize("count", [-1, 61])
def test_other_numbers_are_refused(count):
    with pytest.raises(ValueError, match="oddities: "):
        WorldLayout(1, oddities=count)
