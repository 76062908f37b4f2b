"""Where it lies: map descriptors, placement of tiles on a map's pixel grid, spatial index."""
