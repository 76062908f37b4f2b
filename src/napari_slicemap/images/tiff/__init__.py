"""TIFF and OME-TIFF files: read and written."""
