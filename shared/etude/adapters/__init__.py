"""Adapters: other libraries' training loops as trials. Each needs its library; none is imported unless you do."""
