"""What napari opens and saves through the plugin: bundles both ways, ROIs as data."""
