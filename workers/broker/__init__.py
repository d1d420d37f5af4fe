"""The broker: its port, the local adapter, the relay, routing and retry."""
