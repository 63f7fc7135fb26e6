"""Slots: what this machine can train on."""

import os
from collections.abc import Sequence

import psutil
import torch

from etude.events import Slot


def detect_slots(count: int | None = None) -> list[Slot]:
    """CUDA devices if there are any, else CPU shares.

    Parameters
    ----------
    count : how many to offer; by default every device, or one share a core
    """
    devices = torch.cuda.device_count()
    if devices:
        return [_device(number) for number in range(devices if count is None else min(count, devices))]
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


def _device(number: int) -> Slot:
    properties = torch.cuda.get_device_properties(number)
    return Slot(id=str(number), kind="cuda", name=properties.name, memory=properties.total_memory)
