"""A load tester that holds many live connections against any PicShare and proves what they were told.

    profiles, plan, machine, target   what is to be done, and whether this machine can do it
    community/                        the people: accounts, tokens, who follows whom, and the REST API
    client/                           one live connection: the protocol without I/O, and its socket
    traffic/                          acts, who is to hear of them, who did, and storms
    measures/                         counts and histograms that can be added up
    worker/                           one tester process and its pipe to the parent
    crew, run                         the parent: starts the processes, leads them, adds up
    report/                           progress, table, JSON and picture

Each process has a community of its own: whoever acts and whoever should hear of it are in the same process,
so one clock and one ledger suffice and nothing has to be matched between processes.
"""
