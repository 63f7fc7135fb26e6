"""What a machine can train on."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from etude_trial_runner.session import new_session
from etude_trial_runner.slots import detect_slots, threads_per_slot


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with the driver of a GPU."""
    (tmp_path / "driver").touch()
    monkeypatch.setattr("etude_trial_runner.slots._DRIVERS", (str(tmp_path / "driver"),))


def test_a_machine_without_a_gpu_does_without_torch() -> None:
    program = "import sys; from etude_trial_runner import slots; slots._DRIVERS = ()\n"
    program += "assert slots.detect_slots(); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.usefixtures("driver")
def test_without_a_gpu_each_core_is_a_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    slots = detect_slots()
    assert len(slots) == len(os.sched_getaffinity(0))
    assert {slot.kind for slot in slots} == {"cpu"}
    assert [slot.id for slot in detect_slots(5)] == ["0", "1", "2", "3", "4"]


@pytest.mark.usefixtures("driver")
def test_every_gpu_is_a_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    class Properties:
        name = "NVIDIA H100"
        total_memory = 80 * 2**30

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: Properties())
    slots = detect_slots()
    assert [(slot.id, slot.kind, slot.name, slot.memory) for slot in slots] == [
        ("0", "cuda", "NVIDIA H100", 80 * 2**30),
        ("1", "cuda", "NVIDIA H100", 80 * 2**30),
    ]
    assert len(detect_slots(1)) == 1
    assert len(detect_slots(8)) == 2


def test_slots_share_the_cores() -> None:
    cores = len(os.sched_getaffinity(0))
    assert threads_per_slot(1) == cores
    assert threads_per_slot(cores) == 1
    assert threads_per_slot(10 * cores) == 1


def test_a_later_session_sorts_after_an_earlier_one() -> None:
    sessions = [new_session() for _ in range(5)]
    assert len(set(sessions)) == 5
    assert [s.split("-")[0] for s in sessions] == sorted(s.split("-")[0] for s in sessions)
