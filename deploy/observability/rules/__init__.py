"""Alerting rules as code: promises to customers in `slos`, the rest in `alerts`."""
