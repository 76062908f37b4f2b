"""What was marked: regions of interest, the table that holds them, interchange with other tools."""
