"""What the actions of the window do: each method is one command of `command.Desk`, carried out on the parts that the window holds."""

from pathlib import Path

from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QDockWidget, QMainWindow, QMenu

from memstudio.bank.values import ClusterId
from memstudio.errors import UserError
from memstudio.paths import data_dir
from memstudio.ui.arms_studio import ArmsStudio
from memstudio.ui.build_studio import BuildStudio
from memstudio.ui.choosing import choose_file, choose_folder, choose_new
from memstudio.ui.dialogs import AboutDialog
from memstudio.ui.docks import place_docks, show_dock
from memstudio.ui.export_studio import ExportStudio
from memstudio.ui.fact_studio import FactStudio
from memstudio.ui.learn_studio import LearnStudio
from memstudio.ui.map_studio import MapStudio
from memstudio.ui.measuring import Measuring
from memstudio.ui.memory_studio import MemoryStudio
from memstudio.ui.menus import ActionSet
from memstudio.ui.panels.block_dialogs import ScaleDialog, SwapDialog
from memstudio.ui.panels.log_panel import LogPanel
from memstudio.ui.panels.palette import Entry, Palette
from memstudio.ui.panels.preferences_dialog import PreferencesDialog
from memstudio.ui.panels.route_panel import RoutePanel
from memstudio.ui.panels.scan_panel import ScanPanel
from memstudio.ui.panels.start_page import StartPage
from memstudio.ui.preferences import Preferences
from memstudio.ui.revision_studio import RevisionStudio
from memstudio.ui.revision_views import HistoryVerb
from memstudio.ui.route_studio import RouteStudio
from memstudio.ui.save_studio import SaveStudio
from memstudio.ui.scan_studio import ScanStudio
from memstudio.ui.snapshots import Wish
from memstudio.ui.studio import Panels, Studio
from memstudio.ui.theme import Theme, ThemeChoice
from memstudio.ui.token_studio import TokenStudio
from memstudio.ui.use_studio import UseStudio
from memstudio.ui.view_studio import ViewStudio

PROMPT_FILES = "Prompts (*.txt *.jsonl *.json *.csv *.tsv);;All files (*)"
FACT_FILES = "Facts (*.jsonl *.json *.csv *.tsv);;All files (*)"


class WindowDesk(QMainWindow):
    """Satisfies `command.Desk`; the window itself builds the parts."""

    studio: Studio
    panels: Panels
    docks: dict[str, QDockWidget]
    facts: FactStudio
    revisions: RevisionStudio
    arms: ArmsStudio
    builds: BuildStudio
    learns: LearnStudio
    exports: ExportStudio
    scans: ScanStudio
    uses: UseStudio
    maps: MapStudio
    memory: MemoryStudio
    tokens: TokenStudio
    saves: SaveStudio
    views: ViewStudio
    scan: ScanPanel
    route: RoutePanel
    routes: RouteStudio
    measuring: Measuring
    actions_: ActionSet
    palette_: Palette
    theme: Theme
    log: LogPanel
    wish: Wish | None
    _preferences: Preferences
    start: StartPage
    _about: AboutDialog
    _preferring: PreferencesDialog
    _scale: ScaleDialog
    _swap: SwapDialog
    panels_menu: QMenu

    def choose_bank(self) -> None:
        choose_folder(self, "Open a bank folder", self.open_path)

    def choose_study(self) -> None:
        choose_folder(self, "Open a study folder", self.open_path)

    def build_bank(self) -> None:
        self.builds.open()

    def add_documents(self) -> None:
        self.learns.open()

    def export_bank(self) -> None:
        self.exports.open()

    def export_dense(self) -> None:
        path = self.routes.path
        if path:
            self.exports.open_dense([cluster for cluster, _ in path], [name for _, name in path])
        else:
            self.panels.status.say("There is no route yet: write a prompt first.", kind="error")

    def open_demo(self) -> None:
        """The bundled bank."""
        self.open_path("demo")

    def open_path(self, path: str) -> None:
        """A bank folder, a study folder, or the word demo."""
        now = self._preferences.now
        self.open_wish(Wish(path, device=now.device, cache_bytes=now.cache_bytes))

    def open_wish(self, wish: Wish) -> None:
        """Open what is wished for; the window stays usable meanwhile."""
        self.wish = wish
        self.studio.open(wish)

    def save_picture(self) -> None:
        title = "Save a picture of the window"
        choose_new(self, title, "memstudio.png", self._save_picture_to, kinds="PNG (*.png)", suffix="png")

    def save_view(self) -> None:
        self.saves.save_view()

    def save_table(self) -> None:
        front = self.saves.front
        if front in (self.docks["bank"], self.docks["table"]):
            self.views.save_table()
        else:
            self.saves.save_table()

    def _save_picture_to(self, file: str) -> None:
        try:
            self.save_picture_to(Path(file))
        except UserError as error:
            self.panels.status.say(str(error), kind="error")
        else:
            self.panels.status.say(f"Saved {file}.")

    def save_picture_to(self, file: Path) -> None:
        """Write the window as it looks now.

        Raises:
            UserError: the file cannot be written.
        """
        if not self.grab().save(str(file)):
            raise UserError(f"{file}: the picture cannot be written there; name a file that ends in .png in a folder that exists")

    def leave(self) -> None:
        self.close()

    def undo(self) -> None:
        self.studio.bridge.undo()

    def redo(self) -> None:
        self.studio.bridge.redo()

    def prune(self, cluster: ClusterId) -> None:
        self.studio.edit("prune", self._all_with(cluster))

    def restore(self, cluster: ClusterId) -> None:
        self.studio.edit("restore", self._all_with(cluster))

    def scale_block(self) -> None:
        study = self.studio.study
        if study is not None:
            self._scale.open_on(self.selected(), study.state(self.selected()))

    def swap_block(self) -> None:
        self._swap.open_on(self.selected())

    def rewrite_block(self) -> None:
        cluster = self.selected()
        title = f"Rewrite {cluster} from a file"
        choose_file(self, title, "Tensors (*.safetensors)", lambda file: self.studio.rewrite(cluster, Path(file)))

    def toggle_hide(self, cluster: ClusterId) -> None:
        self.studio.toggle_hide(self._all_with(cluster))

    def toggle_mute(self, cluster: ClusterId) -> None:
        self.studio.toggle_mute(self._all_with(cluster, subtrees=False))

    def toggle_solo(self, cluster: ClusterId) -> None:
        self.studio.toggle_solo(self._all_with(cluster, subtrees=False))

    def toggle_pin(self) -> None:
        self.studio.toggle_pin(self.selected_or_none())

    def copy(self, what: str) -> None:
        QGuiApplication.clipboard().setText(self.log.script if what == "python" else what)
        self.panels.status.say("Copied as Python: what was done since the bank was opened." if what == "python" else f"Copied {what}.")

    def find_cluster(self) -> None:
        show_dock(self.docks["bank"])
        self.panels.tree.focus_search()

    def scan_fact(self) -> None:
        """Look for the answer of the prompt on every path."""
        show_dock(self.docks["scan"])
        self._scan(self.scan.answer.text())

    def _scan(self, answer: str) -> None:
        ask = self.panels.prompt.ask(0)
        if ask.text:
            self.scans.scan(ask.text, answer, ask.key)

    def count_use(self) -> None:
        """Count the set that the panel names."""
        show_dock(self.docks["sets"])
        self.panels.sets.wish(effects=False)

    def find_unused(self) -> None:
        """List the dead blocks."""
        show_dock(self.docks["sets"])
        self.uses.find_unused()

    def choose_prompts(self) -> None:
        """Ask for a file of prompts, to be counted when it is wished."""
        choose_file(self, "Choose a file of prompts", PROMPT_FILES, lambda file: self.panels.sets.take_file(Path(file)))

    def write_prompt(self) -> None:
        self.panels.prompt.text.setFocus()
        self.panels.prompt.text.selectAll()

    def run_prompt(self) -> None:
        self.studio.run_prompt()

    def stop(self) -> None:
        self.studio.stop()
        self.arms.stop()

    def show_arms(self) -> None:
        """An A/B/C."""
        self.arms.show()

    def compare_muted(self) -> None:
        """The prompt's answer with and without the selected blocks."""
        self.arms.compare_without()

    def history(self, verb: HistoryVerb) -> None:
        self.revisions.do(verb)

    def _run_or_stop(self) -> None:
        if self.studio.situation.running:
            self.studio.stop()
        else:
            self.studio.run_prompt()

    def trace_prompt(self) -> None:
        self.tokens.leave()
        self.studio.trace_prompt()

    def toggle_measure_tokens(self) -> None:
        self.panels.prompt.beside = not self.panels.prompt.beside
        self.studio.changed.emit()

    def toggle_auto_trace(self) -> None:
        self.prefer("trace_runs", not self.studio.auto_trace)

    def continue_run(self) -> None:
        self.studio.continue_run()

    def recompute_run(self) -> None:
        self.studio.recompute_run()

    def score_facts(self) -> None:
        self.facts.score(self.panels.facts.chosen_memory)

    def import_facts(self) -> None:
        choose_file(self, "Import facts", FACT_FILES, lambda file: self.read_facts(Path(file)))

    def read_facts(self, file: Path) -> None:
        """Show a fact file in the facts panel."""
        show_dock(self.docks["facts"])
        self.facts.read(file)

    def change_fact(self) -> None:
        self.facts.change(self.panels.prompt.to_change())

    def erase_fact(self) -> None:
        self.facts.change(self.panels.prompt.to_change(), verb="erase")

    def change_all_facts(self) -> None:
        self.facts.change_all(self.panels.facts.requests())

    def toggle_measuring(self) -> None:
        self.prefer("measure_edits", not self.measuring.on)

    def choose_theme(self, choice: ThemeChoice) -> None:
        self.prefer("theme", choice)

    def reset_layout(self) -> None:
        place_docks(self, self.docks)

    def show_memory(self) -> None:
        self.memory.show()

    def make_map(self) -> None:
        show_dock(self.docks["map"])
        self.maps.make()

    def show_preferences(self) -> None:
        self._preferring.open_on(self._preferences.now, data_dir())

    def prefer(self, name: str, value: object) -> None:
        """Have a setting hold from now on, here and the next time; see `settings.Settings`."""
        self._preferences.change(**{name: value})
        self._prefer_all()
        if self._preferences.notice:
            self.panels.status.say(self._preferences.notice, kind="error")

    def _prefer_all(self) -> None:
        """Have the window be as is preferred."""
        now = self._preferences.now
        if (self.theme.choice, self.theme.text_percent) != (now.theme, now.text_percent):
            self.theme.choose(now.theme, now.text_percent)
        self.measuring.on, self.studio.auto_trace = now.measure_edits, now.trace_runs
        self.start.show_recent(now.recent)
        self._preferring.show_settings(now)
        self.studio.changed.emit()

    def show_about(self) -> None:
        self._about.show()

    def show_log(self) -> None:
        show_dock(self.docks["log"])

    def show_palette(self) -> None:
        recent = [
            Entry(f"open {path}", f"Open {Path(path).name}", path, path, "", "", lambda path=path: self.open_path(path))  # type: ignore[misc]
            for path in self._preferences.recent
        ]
        panels = [
            Entry(each.objectName(), f"Go to {each.text()}", "View", each.toolTip(), each.shortcut().toString(), "", each.trigger)
            for each in self.panels_menu.actions()
        ]
        self.palette_.open_on([*self.actions_.entries(self.actions_.now), *panels, *recent])

    def selected(self) -> ClusterId:
        cluster = self.selected_or_none()
        if cluster is None:
            raise UserError("no block is selected: click one in the tree first")
        return cluster

    def _all_with(self, cluster: ClusterId, *, subtrees: bool = True) -> tuple[ClusterId, ...]:
        """The selection, where the cluster is one of it: many blocks act as one. subtrees: without what lies below one of them."""
        chosen = self.studio.chosen
        if cluster not in chosen:
            return (cluster,)
        return chosen.tops() if subtrees else chosen.clusters()

    def selected_or_none(self) -> ClusterId | None:
        """The selected block."""
        return self.studio.selected
