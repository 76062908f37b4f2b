"""How items are run: checked before, side by side, taken up where they ended."""
