"""Watermarks: how full a machine may be before it takes no new trials."""

from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True)
class Watermarks:
    """Shares of disk and memory that may be in use.

    Attributes
    ----------
    folder : on the disk that counts
    disk, memory : from 0 to 1; trials that run go on above them, and new ones go elsewhere
    """

    folder: Path
    disk: float = 0.95
    memory: float = 0.95

    def exceeded(self) -> str:
        """Which one is, in words; empty if none is."""
        disk = psutil.disk_usage(str(self.folder)).percent / 100
        if disk > self.disk:
            return f"the disk of {self.folder} is {disk:.0%} full, above {self.disk:.0%} (ETUDE_DISK_WATERMARK)"
        memory = psutil.virtual_memory().percent / 100
        if memory > self.memory:
            return f"{memory:.0%} of the memory is in use, above {self.memory:.0%} (ETUDE_MEMORY_WATERMARK)"
        return ""
