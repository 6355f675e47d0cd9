"""The only place that draws with pyqtgraph."""
