"""Item models: they hold frozen snapshots and know no widget."""
