"""Which device runs the anchor, and the one line that a person should read when it is not the one they expect."""

import shutil
import sys
from pathlib import Path

import torch
import torch.nn.functional as F

from memstudio.anchor.values import DeviceChoice
from memstudio.errors import DeviceTrouble, UserError

NAMES = ("auto", "cpu", "cuda", "mps")
_FULL = ("out of memory", "can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED")
_GONE = ("CUDA error", "cuDNN error", "HIP error", "MPS backend")
"""What torch says where it has no class of its own for it."""


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


def check_computes(device: str, dtype: str) -> None:
    """Have the device multiply two numbers of that dtype ("float32", "bfloat16", "float16"): old cards lack bfloat16.

    Raises:
        UserError: it cannot.
    """
    try:
        ones = torch.ones(2, 2, device=device, dtype=getattr(torch, dtype))
        F.silu(ones @ ones).cpu()
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, TypeError) as error:
        said = " ".join(str(error).split())[:120]
        other = "float32" if dtype == "float16" else "float16 or float32"
        raise UserError(f"--dtype {dtype}: {device} cannot compute in it ({said}): use {other}, or --device cpu") from error


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


def trouble(error: BaseException, device: str) -> DeviceTrouble | None:
    """What a person is told of an error that a device raised in mid-run: that it is full, or gone. None of any other error."""
    said = " ".join(str(error).split())
    own = isinstance(error, RuntimeError)
    full = isinstance(error, MemoryError | torch.OutOfMemoryError) or (own and any(words in said for words in _FULL))
    if not (full or isinstance(error, torch.AcceleratorError) or (own and said.startswith(_GONE))):
        return None
    elsewhere = device != "cpu"
    what, mend = ("is full", "run it again on what is free now") if full else ("failed or is gone", "start memstudio again")
    line = f"{device} {what}; the study is as it was; {mend}" + (", or run on the CPU (--device cpu)" if elsewhere else "")
    first = said.split(". GPU")[0].split(" CUDA kernel")[0]  # of a page of advice
    return DeviceTrouble(f"{line}: {first:.160}" if first else line, full=full, elsewhere=elsewhere)


def emptied(device: str) -> None:
    """Give back what torch keeps of a device for later."""
    if device.startswith("cuda"):
        torch.cuda.empty_cache()
    elif device == "mps":
        torch.mps.empty_cache()
