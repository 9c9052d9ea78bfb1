"""Target: what the schema shall be, as a copy of the models' metadata."""
