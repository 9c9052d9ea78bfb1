"""Read SQL text with PostgreSQL's own parser."""
