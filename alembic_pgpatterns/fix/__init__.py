"""Everything that pgfix does: plan the fixes, write them as revisions, edit the models' source."""
