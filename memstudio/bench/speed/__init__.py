"""What speed costs are measured in: ratios against named peers in one run, kept as JSON (`memstudio bench speed`)."""
