"""What every part of the live layer may import: ports, errors, settings and metrics."""
