"""The main job on generated cases: simulated partners and a hub as processes, watched and reckoned."""
