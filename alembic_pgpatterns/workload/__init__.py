"""The statements of an application: recorded, imported, merged, and stored as plain data."""
