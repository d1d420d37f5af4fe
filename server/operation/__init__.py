"""What an operator lives with: logs, metrics, health, start and stop, the doctor."""
