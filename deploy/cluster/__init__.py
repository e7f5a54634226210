"""A cluster of three machines that tolerates the failure of one; see docs/cluster.md."""
