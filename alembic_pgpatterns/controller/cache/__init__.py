"""What a run of the history leaves for the next one: copies of the cluster, and traces of revisions.

All of it is keyed by content, never by time: what cannot be proven to be the same is run again.
"""
