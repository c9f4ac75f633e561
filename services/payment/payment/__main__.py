"""Runs the service: `python -m payment [--role ROLE]`, or rebuilds its read model: `python -m payment replay [--switch]`.

Settings come from the environment (ORDERLY_…).
"""

from common.main import main
from payment.app import build, rebuild
from payment.settings import Settings

if __name__ == "__main__":
    main("payment", Settings, build, rebuild)
