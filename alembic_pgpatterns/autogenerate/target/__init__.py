"""Target: what the schema must become, as a changed copy of the models' metadata."""
