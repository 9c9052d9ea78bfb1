"""An order service for many tenants on one PostgreSQL database."""
