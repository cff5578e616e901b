"""A shortened soak; ``python -m benchmarks.soak`` is the whole."""

from __future__ import annotations

from benchmarks.soak import soak

KEYS = 6_000


async def test_a_long_time_of_typing_leaves_the_server_as_it_was() -> None:
    soaked = await soak(KEYS, samples=6)
    assert (soaked.unanswered, soaked.strange) == (0, 0)
    assert soaked.requests >= KEYS - 10
    assert soaked.shown > 0
    assert soaked.recovered
    assert soaked.faults.total() > 0
    assert soaked.messages <= 4, "a toast storm"
    assert soaked.growth(KEYS // 2) < 0.10
    descriptors = [one.descriptors for one in soaked.samples]
    assert max(descriptors) - min(descriptors) <= 12  # connections under way come and go
    assert soaked.exit_status == 0
