"""The process group of a trial that trains on several slots."""

import torch
from torch import distributed as dist
from torch._C._distributed_c10d import PrefixStore

from etude.core.distributed import Distributed


def join_process_group(distributed: Distributed, device: torch.device) -> None:
    """Join the others: by NCCL on GPUs, else by Gloo; once is enough."""
    if not dist.is_initialized():
        dist.init_process_group(
            backend="nccl" if device.type == "cuda" else "gloo",
            store=PrefixStore("process-group", distributed.store),
            rank=distributed.rank,
            world_size=distributed.size,
            device_id=device if device.type == "cuda" else None,
        )


def leave_process_group() -> None:
    """Leave, if it was joined."""
    if dist.is_initialized():
        dist.destroy_process_group()
