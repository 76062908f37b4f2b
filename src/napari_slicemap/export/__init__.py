"""What is handed out: plans, items, the runner, one writer per format, provenance."""
