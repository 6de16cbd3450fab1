"""Protocol adapters, a module each; they know the contract `hub.port`, the engine knows the rest."""
