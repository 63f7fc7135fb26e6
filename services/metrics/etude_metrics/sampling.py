"""Down-sampling of curves. Pure."""

from collections.abc import Sequence

import numpy as np

Values = Sequence[float | None]


def downsample(lengths: Sequence[int], values: Values, max_points: int) -> tuple[list[int], list[float | None]]:
    """At most so many points of a curve: its ends, and the lowest and highest of each stretch, so that peaks stay.

    Stretches have the same number of points. Points without a value go first.

    Parameters
    ----------
    lengths : sorted
    max_points : 2 or more

    >>> downsample([1, 2, 3, 4, 5, 6, 7, 8], [0, 1, 9, 1, 1, -5, 1, 2], 6)
    ([1, 2, 3, 5, 6, 8], [0, 1, 9, 1, -5, 2])
    """
    if len(lengths) <= max_points:
        return list(lengths), list(values)
    numbers = np.array([np.nan if value is None else value for value in values], dtype=float)
    there = np.flatnonzero(np.isfinite(numbers))
    if len(there) > max_points:
        inner = np.array_split(there[1:-1], max(1, (max_points - 2) // 2)) if max_points > 3 else []
        kept = {int(there[0]), int(there[-1])}
        for stretch in inner:
            kept |= {int(stretch[numbers[stretch].argmin()]), int(stretch[numbers[stretch].argmax()])}
        there = np.array(sorted(kept))
    return [lengths[int(index)] for index in there], [values[int(index)] for index in there]
