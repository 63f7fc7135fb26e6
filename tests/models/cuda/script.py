"""Says what it has of the GPUs, and how much memory it can get; learns nothing."""

import os

import torch

import etude.core

with etude.core.init() as run:
    total = torch.cuda.get_device_properties(0).total_memory
    share = run.get_hparam("takes")
    try:
        held = torch.empty(int(total * share), dtype=torch.uint8, device="cuda")
        got = 1.0
    except torch.OutOfMemoryError:
        got = 0.0
    found = {
        "loss": share,
        "devices": torch.cuda.device_count(),
        "got": got,
        "slot": int(os.environ["CUDA_VISIBLE_DEVICES"].split(",")[0]),
    }
    for operation in run.searcher.operations():
        run.report_validation(operation.length, found)
