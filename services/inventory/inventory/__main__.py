"""Runs the service: `python -m inventory [--role ROLE]`, or rebuilds its read model: `python -m inventory replay [--switch]`.

Settings come from the environment (ORDERLY_…).
"""

from common.main import main
from inventory.app import build, rebuild
from inventory.settings import Settings

if __name__ == "__main__":
    main("inventory", Settings, build, rebuild)
