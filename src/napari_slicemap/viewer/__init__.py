"""napari's way in: map layer, session, docks, reader, sample data. The only room that imports napari and Qt."""
