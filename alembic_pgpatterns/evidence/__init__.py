"""What an application asks its database, read from its source, from a recording or from statistics."""
