"""Runs the service: `python -m order [--role ROLE]`, or rebuilds its read model: `python -m order replay [--switch]`.

Settings come from the environment (ORDERLY_…).
"""

from common.main import main
from order.app import build, rebuild
from order.settings import Settings

if __name__ == "__main__":
    main("order", Settings, build, rebuild)
