"""Which indexes a workload needs, found by planning at production's size on a server that holds no rows."""
