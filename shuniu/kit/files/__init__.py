"""Programs that go into a partner's kit as they are: they run on the partner's machine, without us."""
