"""Dialogs that are made when they are first wanted, as cached properties, so that the window opens sooner."""


def made(owner: object, name: str = "dialog") -> bool:
    """Whether the cached property was asked for yet; this does not ask for it."""
    return name in vars(owner)
