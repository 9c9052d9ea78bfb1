"""Pictures of a schema: which tables and columns are shown, where they stand, and how they are drawn."""
