"""The composition root: builds every service of a process from its settings.

Read in this order:

process      starts a role, builds its services and runs them
roles        which services a role has, and which backends it accepts
embedded     starts the embedded engines
backends     the adapter for the URL of each backend
services     builds each service from the stores
application  the HTTP routes
"""
