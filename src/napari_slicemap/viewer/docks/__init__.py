"""The docks: each a view of the session."""
