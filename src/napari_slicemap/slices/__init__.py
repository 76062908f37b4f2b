"""What was decided: the slice table, quality, galvo artefacts, shifts, exclusion, interpolation."""
