"""Sobol sampling: a scrambled low-discrepancy sequence, which covers a space more evenly than independent draws."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import qmc

from etude.config import Const, Space
from etude.events import Hyperparameters
from etude_searcher.samplers.sampler import Fits, Sampler, nested
from etude_searcher.samplers.unit import from_unit

_MAX_DIMENSIONS = 21_201
_FIRST_BLOCK = 64


class SobolSampler(Sampler):
    """Point number ``index`` of the sequence (Owen scrambling; scipy.stats.qmc.Sobol).

    A draw that does not fit the constraints, or repeats an earlier one, is drawn again at random.
    """

    def __init__(
        self, space: Space, fits: Fits = None, options: Mapping[str, Any] | None = None, seed: int = 0
    ) -> None:
        super().__init__(space, fits, options, seed)
        self._parameters = list(space.parameters())
        self._varying = [path for path, parameter in self._parameters if not isinstance(parameter, Const)]
        if len(self._varying) > _MAX_DIMENSIONS:
            raise ValueError(f"a Sobol sequence has at most {_MAX_DIMENSIONS} dimensions; use the random sampler")
        self._points = np.empty((0, len(self._varying)))
        if self._varying:
            self._sequence = qmc.Sobol(len(self._varying), scramble=True, rng=np.random.default_rng(seed))

    def draw(self, index: int, generator: np.random.Generator, attempt: int = 0) -> Hyperparameters:
        anywhere = attempt > 0 or not self._varying
        point = generator.random(len(self._varying)) if anywhere else self._point(index)
        places = dict(zip(self._varying, point, strict=True))
        return nested({path: from_unit(p, float(places.get(path, 0.0))) for path, p in self._parameters})

    def _point(self, index: int) -> NDArray[np.float64]:
        while len(self._points) < index:  # blocks that double keep the number of points a power of two
            block = self._sequence.random(max(len(self._points), _FIRST_BLOCK))
            self._points = np.concatenate([self._points, block])
        point: NDArray[np.float64] = self._points[index - 1]
        return point
