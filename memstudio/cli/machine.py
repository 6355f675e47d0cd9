"""What figures were measured on."""

import os
import platform
from typing import Any


def machine() -> dict[str, Any]:
    """Cores, torch's threads and versions."""
    import torch

    return {"cores": os.cpu_count(), "threads": torch.get_num_threads(), "torch": torch.__version__, "python": platform.python_version()}
