"""Slots: what this machine can train on."""

import os
from collections.abc import Sequence
from pathlib import Path

import psutil

from etude.events import Slot

_DRIVERS = ("/dev/nvidiactl", "/dev/nvmap", "/dev/dxg", "/dev/kfd")
"""One of them is there where a GPU is: of NVIDIA's driver, on Tegra, under WSL, of ROCm."""


def detect_slots(count: int | None = None) -> list[Slot]:
    """CUDA devices if there are any, else CPU shares.

    Parameters
    ----------
    count : how many to offer; by default every device, or one share a core
    """
    devices = _devices() if any(Path(driver).exists() for driver in _DRIVERS) else []
    if devices:
        return devices[:count]
    shares = cores() if count is None else count
    return [Slot(id=str(number), kind="cpu", name="CPU share") for number in range(shares)]


def cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0))


def threads_per_slot(slots: int) -> int:
    """CPU threads for each slot, so that all of them together do not crowd the cores."""
    return max(1, cores() // max(slots, 1))


def resident_memory(slots: Sequence[Slot]) -> int:
    """Bytes for paused trials that rest in memory: a quarter of the machine's. On a GPU they would hold its memory."""
    return 0 if any(slot.kind == "cuda" for slot in slots) else psutil.virtual_memory().total // 4


def _devices() -> list[Slot]:
    import torch  # takes a second, and 150 MiB for as long as the process lives

    found = []
    for number in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(number)
        found.append(Slot(id=str(number), kind="cuda", name=properties.name, memory=properties.total_memory))
    return found
