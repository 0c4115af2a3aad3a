"""What Filmstill remembers between commands: jobs, distilled models and deployments."""

from filmstill.registry.home import home
from filmstill.registry.resource import Resource, new_id
from filmstill.registry.store import Registry

__all__ = ["Registry", "Resource", "home", "new_id"]
