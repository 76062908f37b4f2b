"""OME-Zarr images, plates and collections, and bare Zarr arrays: read and written."""
