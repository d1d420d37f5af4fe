"""What the users of a load test do, the ledger of the deliveries that follow from it, and reconnect storms."""
