"""Which device runs the anchor, and the one line that a person should read when it is not the one they expect."""

import shutil
import sys
from pathlib import Path

import torch

from memstudio.anchor.values import DeviceChoice
from memstudio.errors import UserError

NAMES = ("auto", "cpu", "cuda", "mps")


def choose_device(wanted: str = "auto") -> DeviceChoice:
    """Pick a device: "auto" takes CUDA, else MPS, else the CPU; a device asked for by name must be there.

    The notice of the choice says when an NVIDIA card is in the machine and torch cannot use it, with the line that mends it.

    Raises:
        UserError: not one of `NAMES` (or "cuda:N"), or asked for by name and absent.
    """
    name, _, number = wanted.partition(":")
    if name not in NAMES or (number and (name != "cuda" or not number.isdigit())):
        raise UserError(f"--device {wanted}: choose one of {', '.join(NAMES)}")
    if name == "cpu":
        return DeviceChoice("cpu")
    if name == "cuda":
        return DeviceChoice(_named_cuda(wanted, number))
    if name == "mps":
        if not torch.backends.mps.is_available():
            raise UserError("--device mps: torch finds no Apple GPU here; use --device auto or cpu")
        return DeviceChoice("mps")
    if torch.cuda.is_available():
        return DeviceChoice("cuda")
    if torch.backends.mps.is_available():
        return DeviceChoice("mps")
    return DeviceChoice("cpu", _why_not_cuda() if nvidia_present() else None)


def nvidia_present() -> bool:
    """Whether the machine has an NVIDIA driver, whatever torch can do with it."""
    return Path("/proc/driver/nvidia/version").exists() or shutil.which("nvidia-smi") is not None


def _named_cuda(wanted: str, number: str) -> str:
    if not torch.cuda.is_available():
        reason = _why_not_cuda() if nvidia_present() else "no NVIDIA driver on this machine"
        raise UserError(f"--device {wanted}: {reason}; or use --device auto or cpu")
    if number and int(number) >= torch.cuda.device_count():
        raise UserError(f"--device {wanted}: the cards here are cuda:0 to cuda:{torch.cuda.device_count() - 1}")
    return wanted


def _why_not_cuda() -> str:
    """One line on an NVIDIA card that torch cannot use."""
    if torch.version.cuda is None:
        mend = (
            "take the CUDA line of the selector at pytorch.org/get-started"
            if sys.platform == "win32"
            else "pip install --force-reinstall torch (without a +cpu index)"
        )
        return f"this machine has an NVIDIA GPU but torch {torch.__version__} is built for the CPU only: {mend}"
    return f"this machine has an NVIDIA GPU that torch cannot use: update the NVIDIA driver to one for CUDA {torch.version.cuda}"
