"""Raw tiles of OCT scanners."""
