"""What it looks like: profiles, compositing, FOVs and maps rendered to arrays, overlays, scale bar."""
