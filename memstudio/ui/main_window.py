"""The window itself: docks and their places, menus and toolbar, title, theme, what is dropped on it. The work is in studio.py."""

from dataclasses import replace

from PySide6.QtCore import QPoint, QSize, Qt, QTimer
from PySide6.QtGui import QAction, QCloseEvent, QDragEnterEvent, QDropEvent, QPaintEvent
from PySide6.QtWidgets import QMenu

from memstudio.ui import measures
from memstudio.ui.arms_studio import ArmsStudio
from memstudio.ui.bridge import Bridge
from memstudio.ui.build_studio import BuildStudio
from memstudio.ui.dialogs import AboutDialog
from memstudio.ui.docks import DockTitle, kept_layout, make_docks, panels_menu, place_docks, restore_layout, show_dock
from memstudio.ui.export_studio import ExportStudio
from memstudio.ui.fact_studio import FactStudio
from memstudio.ui.learn_studio import LearnStudio
from memstudio.ui.map_studio import MapStudio
from memstudio.ui.measuring import Measuring
from memstudio.ui.memory_studio import MemoryStudio
from memstudio.ui.menus import ActionSet
from memstudio.ui.moved_studio import MovedStudio
from memstudio.ui.panels.arms_panel import ArmsPanel
from memstudio.ui.panels.block_dialogs import ScaleDialog, SwapDialog
from memstudio.ui.panels.block_panel import BlockPanel
from memstudio.ui.panels.compare_panel import ComparePanel
from memstudio.ui.panels.facts_panel import FactsPanel
from memstudio.ui.panels.heat_panel import HeatPanel
from memstudio.ui.panels.history_panel import HistoryPanel
from memstudio.ui.panels.icicle_panel import IciclePanel
from memstudio.ui.panels.jobs_panel import JobsPanel
from memstudio.ui.panels.log_panel import LogPanel
from memstudio.ui.panels.map_panel import MapPanel
from memstudio.ui.panels.palette import Palette
from memstudio.ui.panels.parts import EmptyState
from memstudio.ui.panels.preferences_dialog import PreferencesDialog
from memstudio.ui.panels.prompt_panel import PromptPanel
from memstudio.ui.panels.route_panel import RoutePanel
from memstudio.ui.panels.scan_panel import ScanPanel
from memstudio.ui.panels.sets_panel import SetsPanel
from memstudio.ui.panels.start_page import StartPage
from memstudio.ui.panels.status_bar import StatusBar
from memstudio.ui.panels.table_panel import TablePanel
from memstudio.ui.panels.tree_panel import TreePanel
from memstudio.ui.preferences import Preferences
from memstudio.ui.revision_studio import RevisionStudio
from memstudio.ui.route_studio import RouteStudio
from memstudio.ui.save_studio import SaveStudio
from memstudio.ui.scan_studio import ScanStudio
from memstudio.ui.snapshots import Crashed, Opened, Wish
from memstudio.ui.start_studio import StartStudio
from memstudio.ui.studio import Panels, Studio
from memstudio.ui.texts import on_button
from memstudio.ui.theme import Theme
from memstudio.ui.token_studio import TokenStudio
from memstudio.ui.use_studio import UseStudio
from memstudio.ui.view_studio import ViewStudio
from memstudio.ui.window_desk import WindowDesk

START_SIZE = QSize(1366, 768)
APP_TITLE = "memstudio"
FACT_FILES = "Facts (*.jsonl *.json *.csv *.tsv);;All files (*)"


class MainWindow(WindowDesk):
    """One bank, one study. Satisfies `actions.Desk`."""

    def __init__(self, bridge: Bridge, preferences: Preferences, *, wish: Wish | None = None) -> None:
        super().__init__()
        self.setObjectName("memstudio")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
        self._preferences = preferences
        self.wish = wish
        self._first = wish
        """What is opened after the first paint; what a person opens before it is not opened twice."""
        self._painted = False
        self._closed = False
        self.theme = Theme(self)
        with self.theme.bare():
            self.theme.choose(preferences.theme, preferences.now.text_percent)
            self._about, self._preferring = AboutDialog(self), PreferencesDialog(self)
            self._scale, self._swap = ScaleDialog(self), SwapDialog(self)
            self._build_panels()
            self.studio = Studio(bridge, self.panels, self)
            self.facts = FactStudio(self.studio, self.panels.facts, self.theme, self)
            self.revisions = RevisionStudio(self.studio, self.compare, self.theme, self)
            self.arms = ArmsStudio(self.studio, self.abreast, self)
            self.builds = BuildStudio(self.studio, self)
            self.learns = LearnStudio(self.studio, self.theme, self)
            self.exports = ExportStudio(self.studio, self.theme, self)
            self.scans = ScanStudio(bridge, self.scan, self)
            self.uses = UseStudio(self.studio, self.panels.sets, self)
            self.maps = MapStudio(bridge, self.panels.map, self.panels.status, self)
            self.tokens = TokenStudio(self.studio, self.theme, self)
            self.routes = RouteStudio(self.studio, self.route, self)
            self.moved = MovedStudio(bridge, self)
            self.views = ViewStudio(self.studio, self)
            self.starts = StartStudio(self.studio, self.start, self)
            self.memory = MemoryStudio(bridge, self.panels.status, self.theme, self)
            self.measuring = Measuring(bridge, self)
            self.measuring.on, self.studio.auto_trace = preferences.measure_edits, preferences.now.trace_runs
            self.actions_ = ActionSet(self, self)
            self.palette_ = Palette(self.theme, self)
            self._build_menus()
            self._build_docks()
            self.saves = SaveStudio(bridge, self.docks, self)
        self._connect()
        self.setAcceptDrops(True)
        self._retone()
        self._refresh()
        self.resize(START_SIZE)
        place_docks(self, self.docks)
        kept = preferences.layout()
        if kept is not None:
            restore_layout(self, self.docks, kept)
        if preferences.notice:
            self.panels.status.say(preferences.notice, kind="notice")

    # Building

    def _build_panels(self) -> None:
        theme = self.theme
        no_bank = EmptyState(
            "No bank open",
            "Open a bank folder, or drop one on this window. The bundled demo shows what there is to see.",
            ("Open bank…", self.choose_bank),
        )
        no_bank.offer("Open the demo", self.open_demo)
        no_bank.offer("Build a bank…", self.build_bank)
        self.panels = Panels(
            tree=TreePanel(theme, no_bank),
            prompt=PromptPanel(theme),
            heat=HeatPanel(theme),
            block=BlockPanel(),
            history=HistoryPanel(theme),
            facts=FactsPanel(theme),
            icicle=IciclePanel(theme),
            map=MapPanel(theme),
            table=TablePanel(theme),
            sets=SetsPanel(theme),
            status=StatusBar(),
        )
        self.route = RoutePanel(theme)
        self.compare, self.abreast, self.scan = ComparePanel(theme), ArmsPanel(theme), ScanPanel(theme)
        self.log, self.jobs, self.start = LogPanel(), JobsPanel(), StartPage()
        self.setStatusBar(self.panels.status)

    def _build_menus(self) -> None:
        self.actions_.fill_menu_bar(self)
        self.addToolBar(self.actions_.toolbar(self))
        self._recent = QMenu("Open &recent", self)
        self._recent.aboutToShow.connect(self._fill_recent)
        file = self.actions_.menus["File"]
        file.insertMenu(self.actions_.by_key["open_demo"], self._recent)
        self._context = self.actions_.context_menu(self)
        self.panels.history.menu_wanted.connect(lambda where: self.actions_.menus["History"].popup(where))

    def _build_docks(self) -> None:
        panels = self.panels
        self.docks = make_docks(
            self,
            (
                ("bank", "Bank", panels.tree),
                ("history", "History", panels.history),
                ("jobs", "Jobs", self.jobs),
                ("log", "Log", self.log),
                ("block", "Block", panels.block),
                ("route", "Route", self.route),
                ("heat", "Heat map", panels.heat),
                ("icicle", "Icicle", panels.icicle),
                ("map", "Map", panels.map),
                ("table", "Table", panels.table),
                ("scan", "Where?", self.scan),
                ("facts", "Facts", panels.facts),
                ("sets", "Prompts", panels.sets),
                ("compare", "Compare", self.compare),
                ("pair", "A/B/C", self.abreast),
            ),
        )
        self.setCentralWidget(self.starts.centre)
        self.panels_menu = panels_menu(self, self.docks)
        view = self.actions_.menus["View"]
        first = view.actions()[0]
        view.insertMenu(first, self.panels_menu)
        view.insertSeparator(first)

    def _connect(self) -> None:
        studio, panels, actions = self.studio, self.panels, self.actions_.by_key
        studio.changed.connect(self._refresh)
        panels.facts.windowTitleChanged.connect(self.docks["facts"].setWindowTitle)
        studio.opened.connect(self._opened)
        studio.crashed.connect(self._crashed)
        self._preferring.changed.connect(self.prefer)
        self._preferring.reset_wanted.connect(self.reset_layout)
        self._preferring.forget_wanted.connect(lambda: self.prefer("recent", ()))
        start = self.start
        start.choose_wanted.connect(self.choose_bank)
        start.path_wanted.connect(self.open_path)
        start.demo_wanted.connect(self.open_demo)
        start.build_wanted.connect(self.build_bank)
        self.starts.open_wanted.connect(self.open_wish)
        self.starts.scan_wanted.connect(self.scan_fact)
        start.trial_wanted.connect(self._face_trial)
        start.show_recent(self._preferences.recent)
        studio.bridge.job.connect(self.jobs.show_job)
        self.jobs.cancel_wanted.connect(panels.status.cancel_wanted)
        panels.status.jobs_wanted.connect(lambda: show_dock(self.docks["jobs"]))
        studio.bridge.deed.connect(self.log.add_deed)
        panels.status.said.connect(self.log.add_message)
        self.log.said.connect(lambda line, kind: panels.status.say(line, kind=kind))
        self.facts.changed.connect(self._refresh)
        self.revisions.changed.connect(self._refresh)
        self.maps.changed.connect(self._refresh)
        self.revisions.raised.connect(lambda name: show_dock(self.docks[name]))
        self.abreast.change_wanted.connect(self.facts.change)
        self.arms.changed.connect(self._refresh)
        self.arms.raised.connect(lambda: show_dock(self.docks["pair"]))
        self.builds.open_wanted.connect(self.open_path)
        self.moved.open_wanted.connect(self.open_wish)
        self.exports.open_wanted.connect(self.open_path)
        self.exports.picture_wanted.connect(self.saves.save_picture)
        self.exports.grid_wanted.connect(self.saves.save_grid)
        self._scale.wanted.connect(studio.scale)
        self._swap.wanted.connect(studio.swap)
        panels.prompt.change_wanted.connect(self.facts.change)
        panels.facts.import_wanted.connect(self.import_facts)
        panels.facts.copy_wanted.connect(self.copy)
        self.theme.changed.connect(self._retone)
        studio.overview.menu_wanted.connect(self._show_context)
        self.scan.menu_wanted.connect(self._show_context)
        self.route.menu_wanted.connect(self._show_context)
        panels.sets.file_wanted.connect(self.choose_prompts)
        self.scan.scan_wanted.connect(self._scan)
        self.scan.selected.connect(studio.pick)
        self.scan.pin_wanted.connect(studio.run_on)
        self.scans.shaded.connect(lambda shades: studio.overview.offer(measures.SCAN, shades, show=True))
        self.scans.failed.connect(lambda line: panels.status.say(line, kind="error"))
        panels.prompt.run_button.clicked.connect(self._run_or_stop)
        panels.prompt.continue_button.clicked.connect(studio.continue_run)
        panels.prompt.recompute_button.clicked.connect(studio.recompute_run)
        panels.block.offer([actions[key] for key in ("prune", "restore", "mute", "hide")])
        panels.history.offer([actions[key] for key in ("measure_revision", "compare_parent", "name_revision", "revert")])

    # Looks

    def _refresh(self) -> None:
        targets = len(self.panels.facts.requests())
        now = self.arms.situation(self.revisions.situation(self.studio.situation))
        now = replace(now, theme=self.theme.choice, measure_edits=self.measuring.on, targets=targets, mapped=self.maps.there)
        self.actions_.refresh(now)
        button = self.panels.prompt.run_button
        button.setText("Stop" if now.running else "Run")
        button.setEnabled(now.running or (now.bank and now.prompt))
        self.panels.prompt.setEnabled(now.bank)
        self.setWindowTitle(self._title())

    def _title(self) -> str:
        bank, study = self.studio.bank, self.studio.study
        if bank is None or study is None:
            return APP_TITLE
        revision = study.revision
        what = f"“{revision.title}”" if revision.parent is not None else "as shipped"
        kept = "temporary study" if study.temporary else f"study “{study.folder.name}”"
        return f"{bank.bank.name} · {kept} · revision {revision.id} {what} — {APP_TITLE}"

    def _retone(self) -> None:
        self.actions_.retone(self.theme.tone)
        for dock in self.docks.values():
            title = dock.titleBarWidget()
            if isinstance(title, DockTitle):
                title.retone(self.theme)

    # What happens to the window

    def _opened(self, opened: Opened) -> None:
        self.panels.prompt.setEnabled(True)
        self.panels.prompt.text.setFocus()
        self._preferences.remember(self.wish.path if self.wish else str(opened.bank.folder))

    def _face_trial(self) -> None:
        """Have in front what a trial shows, wherever the layout was left."""
        for name in ("bank", "block", "heat"):
            show_dock(self.docks[name])

    def _crashed(self, crash: Crashed) -> None:
        self.log.add_bug(crash.title, crash.traceback)
        self.show_log()

    def _fill_recent(self) -> None:
        self._recent.clear()
        for path in self._preferences.recent:
            made = QAction(on_button(path), self._recent)
            made.triggered.connect(lambda _=False, p=path: self.open_path(p))
            self._recent.addAction(made)
        if self._recent.isEmpty():
            self._recent.addAction("No bank opened yet").setEnabled(False)

    def _show_context(self, where: QPoint) -> None:
        if self.selected_or_none() is not None:
            self._context.popup(where)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self._painted:
            self._painted = True
            if self._first is not None:  # heavy imports follow the first paint
                QTimer.singleShot(0, self, self._open_first)

    def _open_first(self) -> None:
        first, self._first = self._first, None
        if first is not None:
            self.open_wish(first)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        path = next((url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()), None)
        if path is not None:
            event.acceptProposedAction()
            self.open_path(path)

    def closeEvent(self, event: QCloseEvent) -> None:
        if not self._closed:
            self._closed = True
            self._preferences.keep_layout(kept_layout(self, self.docks))
            self.hide()
            self.builds.close()
            self.memory.close()
            self.maps.close()
            self.routes.close()
            self.saves.close()
            self.studio.bridge.close()
        super().closeEvent(event)
