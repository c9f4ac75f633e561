"""`python -m registry` serves."""

from common.main import main
from registry.app import build
from registry.settings import Settings

if __name__ == "__main__":
    main("registry", Settings, build)
