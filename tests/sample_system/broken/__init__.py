"""A system whose page cannot be built."""
