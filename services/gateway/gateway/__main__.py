"""`python -m gateway`, settings from the environment (ORDERLY_…)."""

from common.main import main
from gateway.app import build
from gateway.settings import Settings

if __name__ == "__main__":
    main("gateway", Settings, build)
