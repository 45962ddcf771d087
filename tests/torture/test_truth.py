"""Whatever programs and people do to the folders, and whatever befalls the daemon: at rest it says what is true."""

from pathlib import Path

import pytest

from .story import plot_of, tell

SEEDS = (1, 12, 74)
"""Chosen for their plots: between them they have all there is. `test_the_seeds_have_everything` sees to it."""


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("seed", SEEDS)
def test_at_rest_the_library_tells_the_truth(tmp_path: Path, seed: int) -> None:
    """After a storm the read tables are what is on the disk, nothing is there twice, and no promise is broken."""
    said: list[str] = []

    counts = tell(plot_of(seed), tmp_path, said.append)

    assert not counts.failed, "\n".join((*counts.lost, *counts.duplicates, *counts.divergences, *said))
    assert counts.operations > 0
    assert counts.promises > 0


def test_the_seeds_have_everything() -> None:
    """Whatever can be in a plot is in one of those that are always told."""
    plots = [plot_of(seed) for seed in SEEDS]

    for name in (
        "kills",
        "stops",
        "symlinks",
        "hardlinks",
        "root_moves",
        "keeps_time",
        "other_disk",
        "deep",
        "made_anew",
    ):
        assert any(getattr(plot, name) for plot in plots), name
    assert any(plot.faults.drop for plot in plots)
    assert any(plot.faults.double for plot in plots)
    assert any(plot.faults.delay for plot in plots)
