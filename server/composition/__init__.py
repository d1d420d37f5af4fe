"""The composition root: builds every service of a process from its settings."""
