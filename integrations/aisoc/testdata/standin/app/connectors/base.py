"""A stand-in for the base module of AiSOC's connectors service.

It has the names that a connector uses, with the checks that the host makes of a
schema, written from the contract. The tests of the class run against it, so that
they need no checkout of AiSOC.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from enum import Enum

TYPES = {"string", "secret", "select", "textarea", "boolean", "number"}
SECRET_WORDS = ("password", "secret", "token", "private_key", "api_key")


class Capability(str, Enum):
    PULL_AUDIT = "pull_audit"


@dataclass(frozen=True)
class Field:
    name: str
    type: str
    label: str
    required: bool = True
    default: object = None
    placeholder: object = None
    help_text: object = None
    options: object = None

    def __post_init__(self):
        if self.type not in TYPES:
            raise ValueError(f"{self.name}: there is no type {self.type!r}")
        if self.type == "select" and not self.options:
            raise ValueError(f"{self.name}: a select needs options")
        if any(word in self.name for word in SECRET_WORDS) and self.type != "secret":
            raise ValueError(f"{self.name}: is named like a secret and is a {self.type}")


@dataclass(frozen=True)
class OAuthHints:
    supported_in_hosted: bool = False


@dataclass(frozen=True)
class ConnectorSchema:
    connector_id: str
    connector_name: str
    category: str
    description: str
    fields: list
    docs_url: object = None
    oauth: object = None
    capabilities: tuple = field(default=())


class BaseConnector(ABC):
    connector_id = ""
    connector_name = ""
    connector_category = ""

    @classmethod
    def capabilities(cls):
        return ()

    @classmethod
    @abstractmethod
    def schema(cls):
        """Describe the form."""

    @abstractmethod
    async def test_connection(self):
        """Answer the button of the form."""

    @abstractmethod
    async def fetch_alerts(self, since_seconds=300):
        """Return the next events."""

    def normalize(self, raw):
        return raw
