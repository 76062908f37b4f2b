"""Registration of tiles: where they lie by what they show of the same ground."""

from .matching import LEAST_SCORE as LEAST_SCORE
from .register import register_map as register_map
from .result import OverlapPair as OverlapPair
from .result import Registration as Registration
