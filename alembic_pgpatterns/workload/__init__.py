"""What an application asks of its database: recorded, imported, merged, and kept as plain data."""
