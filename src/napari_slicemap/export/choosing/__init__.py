"""From a plan to the list of things to write."""
