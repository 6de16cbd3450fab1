"""One thing (高效办成一件事): an application is split into item cases and their progress joined."""
