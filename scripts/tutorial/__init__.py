"""The first ten minutes, played on a real window: by a test that checks each step, and for the pictures of the docs."""
