"""What `memstudio bench` measures, as ratios against named peers in the same run."""
