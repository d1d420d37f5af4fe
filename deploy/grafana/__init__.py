"""Dashboards for Grafana as code: `python -m deploy.grafana.build` writes the JSON files."""
