"""Real servers for tests: each on free ports, in a folder of its own, stopped by its process id."""
