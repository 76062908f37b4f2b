"""Any dataset to OME-Zarr: every FOV, or every map as one mosaic, checked by reading it back."""
