"""What the microscope left: FOVs, their pixels, masks, positions and tables, one reader per layout."""
