"""Commands for operators: migrations, users, dead letters and the doctor."""
