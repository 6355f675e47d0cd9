"""What figures were measured on."""

import os
import platform
from typing import Any


def machine(device: str = "cpu") -> dict[str, Any]:
    """Cores, the widest instructions that torch finds (and whether for bfloat16), its threads and versions; the name of the card where the
    device is one."""
    import torch

    from memstudio.anchor.products import HAS_BFLOAT16

    card = {"card": torch.cuda.get_device_name(device)} if device.startswith("cuda") else {}
    host = {
        "cores": os.cpu_count(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "bfloat16": HAS_BFLOAT16,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
    return {**host, **card}
