"""PostgreSQL: connections, transactions, migrations, the outbox, and the SQL that several stores share."""
