"""A load tester that holds many live connections to any PicShare and verifies every delivery.

    profiles, plan, machine, target   what to do, and whether this machine and this service allow it
    community/                        the users: accounts, tokens, follows, and the REST API
    client/                           one live connection: the protocol without I/O, and its socket
    traffic/                          acts, the ledger of their deliveries, and storms
    measures/                         counts and histograms that can be added up
    worker/                           one tester process and its pipe to the parent
    worker_pool, run                  the parent: starts the processes, runs the steps, adds up
    report/                           progress, table, JSON and picture

Each process has a community of its own: an act and all of its recipients are in the same process, so one clock and one
ledger are enough, and nothing has to be matched between processes. The package imports nothing of the service.
"""
