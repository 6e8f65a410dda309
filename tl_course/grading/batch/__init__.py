"""A batch: units of work, workers, clusters, records, the rehearsal of the solution."""
