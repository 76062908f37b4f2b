"""What writers promise, as tests: a package that adds a format inherits the contract of what its writer takes.

It needs pytest. :class:`PictureContract`, :class:`PixelContract` and :class:`MovieContract` have
:class:`WriterContract` in common. In the tests of such a package::

    class TestBmp(PictureContract):
        writer_class = BmpWriter
        lossless = True
        keeps_alpha = False

        @staticmethod
        def read(path):
            ...  # with a library that is not the writer's: pixels, and the pixel size in µm

        @staticmethod
        def read_provenance(path):
            ...  # the mapping, or None
"""

from .contract_base import STATED, SizedContract, WriterContract
from .contract_movies import FoundMovie, MovieContract
from .contract_pictures import PictureContract
from .contract_pixels import FoundPixels, PixelContract

__all__ = [
    "STATED",
    "FoundMovie",
    "FoundPixels",
    "MovieContract",
    "PictureContract",
    "PixelContract",
    "SizedContract",
    "WriterContract",
]
