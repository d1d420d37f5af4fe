"""The blob store: its port and its adapters."""
