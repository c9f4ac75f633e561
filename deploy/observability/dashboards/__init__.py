"""Dashboards as code: each module here is one, `board` is what all are made of, `lint` what all must keep to."""
