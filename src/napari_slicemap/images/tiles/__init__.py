"""Tiles in grids and tables: what their names and rows say of where they lie."""
