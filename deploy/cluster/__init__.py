"""Three machines that go on when one of them dies; see docs/cluster.md."""
