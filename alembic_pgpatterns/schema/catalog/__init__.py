"""Read a schema from a database's system catalogs."""
