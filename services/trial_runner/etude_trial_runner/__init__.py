"""The trial runner: the agent on one machine, and the processes that train."""
