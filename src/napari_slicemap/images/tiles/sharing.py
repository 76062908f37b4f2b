"""What the tiles of a table have in common, so that one image is opened instead of all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ...errors import SlicemapError
from ..fov import Annotation, Fov
from ..image import ImageFile, ImagePlane
from ..plane import Plane


@dataclass(frozen=True)
class Shared:
    """What tiles have in common, from the first one that opens; each tile is held to it when it is read.

    Parameters
    ----------
    channels : tuple of str
        Of an image whose rows name no channel.
    size_px : tuple of int or None
        ``(width, height)``.
    pixel_size_um : float or None
        In µm.
    path : str
        The image that says so; empty where none was opened, because the table states everything of every tile.
    """

    channels: tuple[str, ...] = ()
    size_px: tuple[int, int] | None = None
    pixel_size_um: float | None = None
    path: str = ""

    @classmethod
    def of(cls, images: Iterable[ImageFile], *, sized: bool) -> Shared:
        """Open the first image that can be opened.

        Parameters
        ----------
        images : iterable of ImageFile
            Of tiles that the table leaves something out of, and of those that follow.
        sized : bool
            Whether the table states channel and size of every tile, so that only pixel sizes are left out.

        Raises
        ------
        SlicemapError
            What was wrong with the first image, if none can be opened and sizes are not stated.
        """
        failure: SlicemapError | None = None
        for image in images:
            try:
                info = image.info
            except SlicemapError as error:
                failure = failure or error
                continue
            return cls(info.channel_names, (info.shape[4], info.shape[3]), info.pixel_size_um, str(image.path))
        if failure is None:
            return cls()
        if sized:
            return cls(path="the table")
        raise failure

    def fov(
        self,
        name: str,
        images: Mapping[str, ImageFile],
        size_px: tuple[int, int] | None,
        pixel_size_um: float | None,
        fallback_pixel_size_um: float | None,
        masks: Mapping[str, Plane] | None = None,
        annotations: Mapping[str, Annotation] | None = None,
    ) -> Fov:
        """Make a FOV of the images of a tile: channel → image, or all channels of one image under ``""``."""
        if "" in images:
            planes = {
                channel: ImagePlane(images[""], index, self.channels) for index, channel in enumerate(self.channels)
            }
        else:
            planes = {channel: ImagePlane(image) for channel, image in images.items()}
        return Fov(
            name=name,
            planes=planes,
            stated_pixel_size_um=pixel_size_um or self.pixel_size_um,
            like="" if pixel_size_um else self.path,
            fallback_pixel_size_um=fallback_pixel_size_um,
            size_hint=size_px or self.size_px,
            masks=masks or {},
            annotations=annotations or {},
        )
