"""What every service needs: settings, logging, health, signals, supervision."""
