"""Reports, cases, decisions and appeals, and what is found without a report."""
