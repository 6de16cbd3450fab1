"""The shell every page shares: layout, assets, language, signals, guards. Knows no page's subject."""
