"""What the window does about building: the dialog and its bridge, and a model folder that was opened as if it were a bank."""

from functools import cached_property

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from memstudio.ui.build_bridge import BuildBridge
from memstudio.ui.build_views import BankBuilt, ModelFound
from memstudio.ui.made import made
from memstudio.ui.panels.build_dialog import BuildDialog
from memstudio.ui.studio import Studio


class BuildStudio(QObject):
    """Owns the dialog. Emits `open_wanted` with a bank that was built."""

    open_wanted = Signal(str)

    def __init__(self, studio: Studio, window: QWidget) -> None:
        super().__init__(window)
        self._studio, self._window = studio, window
        self.bridge = BuildBridge(studio.bridge)
        self.bridge.model_found.connect(self._found)
        self.bridge.built.connect(self._built)
        studio.panels.status.cancel_wanted.connect(self._cancel)

    @cached_property
    def dialog(self) -> BuildDialog:
        """The dialog, made when it is first wanted: the window opens sooner."""
        dialog, bridge = BuildDialog(self._window), self.bridge
        for signal, slot in (
            (dialog.looking, bridge.look),
            (dialog.stopping, bridge.stop_looking),
            (dialog.building, bridge.build),
            (dialog.cancelling, bridge.cancel),
            (dialog.open_wanted, self.open_wanted),
            (bridge.model_seen, dialog.show_model),
            (bridge.place_seen, dialog.show_place),
            (bridge.looking, dialog.show_looking),
            (bridge.estimated, dialog.show_estimate),
            (bridge.look_ended, dialog.show_look_ended),
            (bridge.refused, dialog.show_refusal),
            (bridge.staged, dialog.show_stage),
            (bridge.said, dialog.show_said),
            (bridge.built, dialog.show_built),
            (bridge.build_ended, dialog.show_build_ended),
        ):
            signal.connect(slot)
        return dialog

    def open(self, model: str = "") -> None:
        """Show the dialog, on a model or as it was left."""
        self.dialog.open_on(model)

    def close(self) -> None:
        """End what is under way; a build that was begun goes on the next time."""
        if made(self):
            self.dialog.close()
        self.bridge.close()

    def _found(self, found: ModelFound) -> None:
        self.bridge.device, self.bridge.encoder = found.device, found.encoder
        if self.dialog.busy:
            self._studio.panels.status.say(f"{found.path.name}: a model without a bank; another bank is being built.", kind="notice")
        else:
            self._studio.panels.status.say(f"{found.path.name}: a model without a bank; build one from documents.")
        self.open(str(found.path))

    def _cancel(self, number: int) -> None:
        if number == self.bridge.job:
            self.bridge.cancel()

    def _built(self, built: BankBuilt) -> None:
        self._studio.panels.status.say(f"Built {built.path}: {built.summary}.")
