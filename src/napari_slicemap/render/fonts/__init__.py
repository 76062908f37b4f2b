"""The font of scale bars and labels: DejaVu Sans, which has µ and the Greek letters (Pillow's own has not)."""

from pathlib import Path

FONT = Path(__file__).with_name("DejaVuSans.ttf")
