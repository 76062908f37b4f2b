"""Stacks of frames handed out as bundles and movies."""
