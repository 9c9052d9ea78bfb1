"""Read a schema from SQLAlchemy's MetaData."""
