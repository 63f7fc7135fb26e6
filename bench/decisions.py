"""What does a decision cost? Microseconds a decision, and memory, at 1,000, 10,000 and 100,000 trials."""

import resource
import time

from etude.config import parse
from etude_searcher.simulate import Simulation

SIZES = (1_000, 10_000, 100_000)


def main() -> None:
    """Print the table."""
    print(f"{'trials':>8}{'decisions':>11}{'seconds':>9}{'µs each':>9}{'MiB':>7}")
    for trials in SIZES:
        config = parse(
            {
                "entrypoint": "bench:Trial",
                "hyperparameters": {
                    "lr": {"type": "log", "minval": -5, "maxval": 0},
                    "width": {"type": "int", "minval": 1, "maxval": 1024},
                    "act": {"type": "categorical", "vals": ["relu", "gelu", "tanh"]},
                },
                "searcher": {"name": "adaptive_asha", "metric": "loss", "max_length": 4096, "max_trials": trials},
            }
        )
        began = time.perf_counter()
        outcome = Simulation(config, lambda h, n: ({"loss": h["lr"] + 1 / n}, float(n)), workers=64).run()  # type: ignore[operator]
        took = time.perf_counter() - began
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        decisions = len(outcome.results)
        print(f"{trials:>8}{decisions:>11}{took:>9.2f}{took / decisions * 1e6:>9.0f}{memory:>7.0f}")


if __name__ == "__main__":
    main()
