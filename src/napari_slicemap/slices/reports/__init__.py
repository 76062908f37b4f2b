"""What people read of the decisions: pages of one HTML file each, with a plot per number and a row per slice."""
