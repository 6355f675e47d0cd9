"""What figures were measured on."""

import os
import platform
from typing import Any


def machine(device: str = "cpu") -> dict[str, Any]:
    """Cores, torch's threads and versions; the name of the card where the device is one."""
    import torch

    card = {"card": torch.cuda.get_device_name(device)} if device.startswith("cuda") else {}
    host = {"cores": os.cpu_count(), "threads": torch.get_num_threads(), "torch": torch.__version__, "python": platform.python_version()}
    return {**host, **card}
