"""What a run of the history leaves for the next one: copies of the cluster, and traces of revisions.

The keys are made from contents, never from times. If it cannot be proved that something is the same, it is run again.
"""
