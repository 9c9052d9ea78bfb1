"""Compare: models and database in PostgreSQL's own form, so that nothing is left out and nothing comes twice."""
