"""The environment of a process whose start is timed."""

import os


def warm_environment() -> dict[str, str]:
    """This one, where Python may keep the bytecode of what it imports: without it every start compiles the whole program again, which an
    installed one never does."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
